"""What the documentation of `websockets` shows clients to do runs with one changed import, on both ways.

Each test is such an example, under the library's own names; only what it prints became what it asserts.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK
from websockets.frames import Close
from websockets.protocol import State
from websockets.typing import Subprotocol

from tests.adapter.conftest import Address
from wscli.adapter import ClientConnection, connect


async def test_hello(url: Address) -> None:
    async with connect(url("hello")) as websocket:
        await websocket.send("Ada")
        assert await websocket.recv() == "Hello Ada!"


async def test_a_connection_that_is_awaited_is_closed_by_hand(url: Address) -> None:
    websocket = await connect(url("echo"))
    assert isinstance(websocket, ClientConnection)
    await websocket.send("hello")
    assert await websocket.recv() == "hello"
    await websocket.close()
    assert websocket.state is State.CLOSED
    assert websocket.protocol.close_code == 1000


async def test_reconnecting_is_an_iteration(url: Address) -> None:
    ticks: list[str | bytes] = []
    async with aclosing(aiter(connect(url("flaky")))) as connections:
        async for websocket in connections:
            try:
                while len(ticks) < 3:
                    ticks.append(await websocket.recv())
                break
            except ConnectionClosed:
                continue
    assert ticks == ["tick"] * 3


async def test_text_stays_text_and_binary_binary(url: Address) -> None:
    async with connect(url("echo")) as websocket:
        for message in ("", "text ü", b"", b"\x00\xff", "x" * 100_000):
            await websocket.send(message)
            assert await websocket.recv() == message


async def test_either_kind_can_be_sent_and_received_as_the_other(url: Address) -> None:
    async with connect(url("echo")) as websocket:
        if "text" not in inspect.signature(websocket.send).parameters:  # before 14
            return
        await websocket.send(b"bytes", text=True)
        assert await websocket.recv() == "bytes"
        await websocket.send("text", text=False)
        assert await websocket.recv(decode=True) == "text"


async def test_consumer_and_producer_at_once(url: Address) -> None:
    to_send: asyncio.Queue[str] = asyncio.Queue()
    received: asyncio.Queue[str | bytes] = asyncio.Queue()

    async def consumer_handler(websocket: ClientConnection) -> None:
        async for message in websocket:
            await received.put(message)

    async def producer_handler(websocket: ClientConnection) -> None:
        while True:
            await websocket.send(await to_send.get())

    async with connect(url("echo")) as websocket:
        tasks = [asyncio.create_task(consumer_handler(websocket)), asyncio.create_task(producer_handler(websocket))]
        for message in ("a", "b"):
            await to_send.put(message)
            assert await received.get() == message
        await websocket.close()
        _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert pending == {tasks[1]}
        for task in pending:
            task.cancel()


async def test_closing_ends_whoever_iterates(url: Address) -> None:
    """How the documentation stops a client at SIGTERM."""
    async with connect(url("echo")) as websocket:
        await websocket.send("only")
        loop = asyncio.get_running_loop()
        closing = []
        async for message in websocket:
            assert message == "only"
            loop.call_soon(lambda: closing.append(loop.create_task(websocket.close())))
        await closing[0]


async def test_a_fragmented_message_is_received_as_a_stream(url: Address) -> None:
    async with connect(url("pieces")) as websocket:
        await websocket.send("ab")
        assert "".join([str(fragment) async for fragment in websocket.recv_streaming()]) == "ababab"


async def test_a_message_is_sent_in_fragments(url: Address) -> None:
    async def fragments() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    async with connect(url("echo")) as websocket:
        await websocket.send(["1", "2", "3"])
        assert await websocket.recv() == "123"
        await websocket.send(fragments())
        assert await websocket.recv() == "ab"


async def test_ping_gives_the_latency(url: Address) -> None:
    async with connect(url("echo")) as websocket:
        pong_waiter = await websocket.ping()
        latency = await pong_waiter
        assert 0 < latency < 5
        assert websocket.latency == latency


async def test_the_server_ends_it_well(url: Address) -> None:
    async with connect(url("end/1000")) as websocket:
        await websocket.send("go")
        assert [message async for message in websocket] == ["the last"]
        assert (websocket.protocol.close_code, websocket.protocol.close_reason) == (1000, "so long")
        with pytest.raises(ConnectionClosedOK):
            await websocket.recv()


async def test_the_server_ends_it_with_a_code_of_its_own(url: Address) -> None:
    async with connect(url("end/4321")) as websocket:
        await websocket.send("go")
        assert await websocket.recv() == "the last"
        with pytest.raises(ConnectionClosedError) as caught:
            await websocket.recv()
    assert caught.value.rcvd == Close(4321, "so long")
    with pytest.raises(ConnectionClosed):
        await websocket.send("too late")


async def test_a_receive_can_be_cancelled_without_a_loss(url: Address) -> None:
    async with connect(url("echo")) as websocket:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await websocket.recv()
        await websocket.send("still there")
        assert await websocket.recv() == "still there"


async def test_the_headers_of_the_handshake_are_there(url: Address) -> None:
    async with connect(
        url("echo"), additional_headers={"Authorization": "Bearer x"}, user_agent_header="mine"
    ) as websocket:
        assert websocket.request is not None
        assert websocket.request.headers["Authorization"] == "Bearer x"
        assert websocket.request.headers["User-Agent"] == "mine"
        assert websocket.response is not None
        assert websocket.response.status_code == 101
        assert websocket.response.headers["Upgrade"] == "websocket"


async def test_the_subprotocol_is_the_one_of_the_server(url: Address) -> None:
    async with connect(url("chat"), subprotocols=[Subprotocol("chat.v1"), Subprotocol("chat.v2")]) as websocket:
        assert websocket.subprotocol == "chat.v2"
        await websocket.send("spoken")
        assert await websocket.recv() == "spoken"


async def test_options_of_the_connection_are_taken(url: Address) -> None:
    async with connect(
        url("echo"), compression=None, ping_interval=None, max_size=10, max_queue=1, close_timeout=1, write_limit=1024
    ) as websocket:
        await websocket.send("x" * 11)
        with pytest.raises(ConnectionClosedError) as caught:
            await websocket.recv()
    assert caught.value.sent is not None
    assert caught.value.sent.code == 1009


async def test_a_subclass_of_the_connection_is_made_on_request(url: Address) -> None:
    class Mine(ClientConnection):
        pass

    async with connect(url("echo"), create_connection=Mine) as websocket:
        assert type(websocket) is Mine
