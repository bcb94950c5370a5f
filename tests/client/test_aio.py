"""``wscli.AsyncClient`` against a real manager: what is its own beside ``wscli.Client``."""

from __future__ import annotations

import asyncio
import gc
import inspect
import json
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.scene import Scene, free_registration, scene
from wscli import AsyncClient, Client, Gap, Message
from wscli.control.protocol import PROTOCOL
from wscli.errors import (
    ChannelUnavailable,
    NoInstance,
    NotSent,
    OutcomeUnknown,
    TimedOut,
    UnknownChannel,
    UsageError,
    WscliError,
)


@pytest.fixture(scope="module")
def running() -> Iterator[Scene]:
    with scene() as made:
        yield made


@pytest.fixture
def client(running: Scene) -> AsyncClient:
    return AsyncClient("app", environ=running.environ)


def order(**what: Any) -> str:
    return json.dumps(what)


async def gone(running: Scene) -> None:
    """Wait until nobody reads: every call has hung up."""
    await asyncio.to_thread(running.until_readers, 0)


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, list[inspect.Parameter]]:
        found = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(one).parameters.values()) for name, one in found if name[0] != "_"}

    assert methods(AsyncClient) == methods(Client)
    assert inspect.signature(AsyncClient) == inspect.signature(Client)


async def test_what_is_sent_as_text_comes_as_text_and_what_is_sent_as_bytes_as_bytes(client: AsyncClient) -> None:
    async with client.tail("echo") as tail:
        await client.send("echo", order(say=["grüße\n"]))
        await client.send("echo", b"\x00\xff")
        found = [await anext(tail), await anext(tail)]
    assert [one.data for one in found if isinstance(one, Message)] == ["grüße\n", b"\x00\xff"]


async def test_a_tail_begins_where_it_is_told_and_ends_by_itself(client: AsyncClient) -> None:
    async with client.tail("other") as tail:
        await client.send("other", order(burst=5))
        came = [await anext(tail) for _ in range(5)]
    assert isinstance(came[0], Message)
    assert [one async for one in client.tail("other", last=5, follow=False)] == came
    assert [one async for one in client.tail("other", after=came[0].cursor, follow=False)] == came[1:]


@pytest.mark.parametrize(
    "call",
    [
        lambda client: anext(client.tail("ecko")),
        lambda client: client.send("ecko", "x"),
        lambda client: client.request("ecko", "x", ".a"),
        lambda client: client.wait("ecko"),
        lambda client: client.stats("ecko"),
    ],
)
async def test_an_unknown_channel_is_its_error(
    client: AsyncClient, call: Callable[[AsyncClient], Awaitable[object]]
) -> None:
    with pytest.raises(UnknownChannel, match="'ecko'"):
        await call(client)


async def test_an_outage_is_a_gap(client: AsyncClient) -> None:
    async with client.tail("echo") as tail:
        await client.send("echo", order(say=["before"], close=1012))
        before, gap = await anext(tail), await anext(tail)
    assert isinstance(before, Message)
    assert isinstance(gap, Gap)
    assert (gap.after, gap.reason) == (before.seq, "outage")


async def test_twenty_requests_at_once_each_get_their_own_reply(client: AsyncClient, running: Scene) -> None:
    asking = [client.request("echo", order(id=number), f".reply == {number}") for number in range(20)]
    assert [one.json() for one in await asyncio.gather(*asking)] == [{"reply": number} for number in range(20)]
    await gone(running)


async def test_a_dozen_requests_answered_out_of_order_get_their_own_replies(client: AsyncClient) -> None:
    message = '{"id": {ref.int}, "together": 12}'
    asking = [client.request("echo", message, ".reply == $ref") for _ in range(12)]
    replies = [one.json() for one in await asyncio.gather(*asking)]
    in_wire_order = [reply["reply"] for reply in sorted(replies, key=lambda reply: reply["place"])]
    assert in_wire_order == sorted(set(in_wire_order))
    assert len(in_wire_order) == 12


async def test_a_request_without_a_reply_ends_at_its_deadline(client: AsyncClient, running: Scene) -> None:
    with pytest.raises(TimedOut, match=r"no reply on 'echo' within 0\.05 s"):
        await client.request("echo", order(say=["another"]), ".reply == 1", timeout=0.05)
    with pytest.raises(TimedOut):
        await client.request("echo", b"x", lambda message: True, timeout=0)
    with pytest.raises(NotSent):
        await client.request("lost", "x", ".reply == 1", timeout=0.05)
    with pytest.raises(UsageError, match="does not compile"):
        await client.request("echo", "x", ".reply ==")
    await gone(running)


async def test_figures_states_and_tokens_are_given(client: AsyncClient) -> None:
    assert (await client.stats())["channels"]["echo"]["state"] == "ready"
    assert [one["channel"] for one in await client.status("echo", "held")] == ["echo", "held"]
    assert await client.token("session") == "a-token"


async def test_a_wait_ends_in_time_and_says_what_it_waited_for(client: AsyncClient) -> None:
    assert [one["state"] for one in await client.wait("echo", "other", timeout=0)] == ["ready", "ready"]
    with pytest.raises(TimedOut, match=r"not paused within 0\.02 s: echo is ready"):
        await client.wait("echo", state="paused", timeout=0.02)
    with pytest.raises(WscliError, match="invalid state: 'redy'"):
        await client.wait("echo", state="redy")


async def test_a_channel_of_no_use_ends_a_tail(client: AsyncClient, running: Scene) -> None:
    async with client.tail("held") as tail:
        await asyncio.to_thread(running.command, "stop", "held")
        with pytest.raises(ChannelUnavailable):
            await anext(tail)
        assert [one async for one in tail] == []
    await asyncio.to_thread(running.command, "start", "held")


async def test_a_tail_that_is_dropped_leaves_nothing_open(client: AsyncClient, running: Scene) -> None:
    await client.request("echo", order(burst=10, id=1), ".reply == 1")
    async for _ in client.tail("echo", last=10):
        break
    never_begun = client.tail("echo")
    del never_begun
    async with client.tail("echo", last=1) as tail:
        await anext(tail)
    assert [one async for one in tail] == []
    async with tail:  # closed is closed
        assert [one async for one in tail] == []
    await tail.aclose()
    gc.collect()  # an open socket would warn here, which is an error
    await gone(running)


async def test_a_cancelled_step_of_a_tail_loses_nothing(client: AsyncClient, running: Scene) -> None:
    """Cancelled at every point: before there is anything, and in the very turn in which it came."""
    found = []
    async with client.tail("echo") as tail:
        await client.send("echo", order(burst=200))
        while len(found) < 200:
            step = asyncio.ensure_future(anext(tail))
            for _ in range(len(found) % 4):
                await asyncio.sleep(0)
            step.cancel()
            try:
                found.append((await step).json())  # type: ignore[union-attr]
            except asyncio.CancelledError:
                item = await asyncio.wait_for(anext(tail), 30)
                found.append(item.json())  # type: ignore[union-attr]
    assert found == [{"n": number} for number in range(200)]
    await gone(running)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: anext(client.tail("echo")),
        lambda client: client.request("echo", b"x", ".never"),
        lambda client: client.send("lost", "x", timeout=60),
        lambda client: client.wait("echo", state="paused"),
    ],
)
async def test_a_call_that_is_cancelled_hangs_up_at_once(
    client: AsyncClient, running: Scene, call: Callable[[AsyncClient], Awaitable[object]]
) -> None:
    for turns in range(6):
        calling = asyncio.ensure_future(call(client))
        for _ in range(turns):
            await asyncio.sleep(0)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling
    gc.collect()
    await gone(running)
    await client.send("echo", b"after")


async def test_another_task_may_end_a_tail(client: AsyncClient, running: Scene) -> None:
    tail = client.tail("echo")
    listening = asyncio.ensure_future(_all(tail))
    await asyncio.to_thread(running.until_readers, 1)
    with pytest.raises(RuntimeError, match="another task"):
        await anext(tail)
    await tail.aclose()
    assert await listening == []
    opening = client.tail("echo")
    listening = asyncio.ensure_future(_all(opening))
    await asyncio.sleep(0)
    await opening.aclose()
    assert await listening == []
    await gone(running)


async def _all(tail: Any) -> list[object]:
    return [one async for one in tail]


async def test_a_fast_channel_leaves_other_tasks_their_turns(client: AsyncClient) -> None:
    async with client.tail("echo") as tail:
        await client.request("echo", order(burst=5000, id=1), ".reply == 1")
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        counting = asyncio.ensure_future(count())
        for number in range(5000):
            assert (await anext(tail)).json() == {"n": number}  # type: ignore[union-attr]
        counting.cancel()
    assert turns > 0


async def test_without_a_manager_every_call_says_so(tmp_path: Path) -> None:
    client = AsyncClient(environ={"WSCLI_RUNTIME_DIR": str(tmp_path)})
    for call in (client.stats(), client.send("echo", "x"), anext(client.tail("echo"))):
        with pytest.raises(NoInstance):
            await call


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a queue that is full refuses at once")
async def test_a_manager_that_accepts_nobody_holds_up_no_other_task(tmp_path: Path) -> None:
    path = free_registration(tmp_path / "run", "app")
    environ = {"WSCLI_RUNTIME_DIR": str(tmp_path / "run")}
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)  # which fills its queue
        for client in (AsyncClient("app", environ=environ), AsyncClient(environ=environ)):
            with pytest.raises(TimedOut):
                await client.request("echo", "x", bool, timeout=0.05)
        waiting = asyncio.ensure_future(AsyncClient("app", environ=environ).stats())
        await asyncio.sleep(0)
        listener.accept()[0].close()
        await asyncio.sleep(0.05)
        accepted, _ = listener.accept()
        with accepted:
            accepted.recv(1 << 16)
            accepted.sendall(b'{"v":%d,"wscli":"0.1.0","ok":true,"result":{"schema":1}}\n' % PROTOCOL)
            assert await waiting == {"schema": 1}


async def test_a_message_whose_answer_never_comes_is_of_unknown_outcome(tmp_path: Path) -> None:
    path = free_registration(tmp_path / "run", "app")
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.setblocking(False)
        listener.bind(path)
        listener.listen()
        client = AsyncClient("app", environ={"WSCLI_RUNTIME_DIR": str(tmp_path / "run")})
        for message, kind in ((b"x", OutcomeUnknown), (b"x" * (8 << 20), NotSent)):
            sending = asyncio.ensure_future(client.send("echo", message))
            accepted, _ = await loop.sock_accept(listener)
            await loop.sock_recv(accepted, 1 << 16)
            accepted.close()
            with pytest.raises(kind):
                await sending
