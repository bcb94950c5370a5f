"""What the back end does when it is told to misbehave, and what it counts."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from wscli.demo.counters import most_within
from wscli.demo.server import DemoServer


@pytest_asyncio.fixture
async def demo() -> AsyncIterator[DemoServer]:
    async with DemoServer(port=0, interval=None, calls=None, require_token=False) as server:
        yield server


def dial(demo: DemoServer, path: str = "/notifications", **options: Any) -> connect:
    return connect(f"{demo.ws_url}{path}", proxy=None, ping_interval=None, **options)


async def ending(client: ClientConnection) -> tuple[int | None, str | None]:
    async with asyncio.timeout(30):
        await client.wait_closed()
    return client.close_code, client.close_reason


async def test_a_kick_closes_with_code_and_reason_and_in_good_order(demo: DemoServer) -> None:
    async with dial(demo) as client:
        assert await demo.kick(code=4000, reason="maintenance") == {"kicked": 1}
        assert await ending(client) == (4000, "maintenance")
        assert demo.connections.now == 0


async def test_a_kick_may_be_abnormal(demo: DemoServer) -> None:
    async with dial(demo) as client:
        await demo.kick(abort=True)
        assert (await ending(client))[0] == 1006
        await demo.until(lambda: demo.connections.now == 0)


async def test_a_kick_concerns_its_path_only(demo: DemoServer) -> None:
    async with dial(demo, "/consultations/1") as one, dial(demo, "/consultations/2"), dial(demo):
        assert await demo.kick("/ws/consultations/1") == {"kicked": 1}
        assert (await ending(one))[0] == 1001
        assert await demo.kick("/ws/consultations/*") == {"kicked": 1}
        assert demo.connections.now == 1


async def test_a_client_that_closes_gets_its_code_back(demo: DemoServer) -> None:
    async with dial(demo) as client:
        await client.close(4123, "bye")
        assert client.close_code == 4123
    async with dial(demo) as client:
        await client.close()
    await demo.until(lambda: demo.connections.now == 0)


async def test_a_silent_server_answers_nothing_and_says_nothing_with_tcp_open(demo: DemoServer) -> None:
    async with dial(demo, close_timeout=0.05) as client:
        await asyncio.wait_for(await client.ping(), 30)
        assert await demo.silence() == {"silent": 1}
        pong = await client.ping()
        await demo.notify()
        await client.send("is anybody there?")
        _, late = await asyncio.wait([pong, asyncio.create_task(client.recv())], timeout=0.2)
        assert len(late) == 2
        for waiter in late:
            waiter.cancel()
        assert demo.connections.now == 1
    await demo.until(lambda: demo.connections.now == 0)
    assert not demo.messages


async def test_silence_ends(demo: DemoServer) -> None:
    async with dial(demo) as client:
        await demo.silence()
        await demo.notify()
        await demo.speak()
        await demo.notify()
        assert json.loads(await client.recv())["n"] == 2, "what it did not say is not said later"
        await asyncio.wait_for(await client.ping(), 30)


async def test_a_deaf_server_lets_the_senders_buffers_fill_and_can_be_dropped(demo: DemoServer) -> None:
    async with dial(demo, close_timeout=0.05, compression=None) as client:
        await demo.silence(deaf=True)

        async def fill() -> None:
            while True:
                await client.send("x" * 65536)

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(fill(), 1.0)  # the kernel's buffers take some megabytes, then no more
        assert await demo.kick(abort=True) == {"kicked": 1}
        assert (await ending(client))[0] == 1006
        await demo.until(lambda: demo.connections.now == 0)


async def test_upgrades_can_stay_unanswered(demo: DemoServer) -> None:
    await demo.silence(upgrades=True)
    with pytest.raises(TimeoutError):
        await dial(demo, open_timeout=0.1)
    late = asyncio.create_task(dial(demo).__aenter__())
    await demo.until(lambda: len(demo.dials) == 2)
    await demo.speak()
    client = await asyncio.wait_for(late, 30)
    await client.close()


async def test_a_server_that_is_gone_refuses_dials_and_comes_back_at_its_port(demo: DemoServer) -> None:
    port = demo.port
    async with dial(demo) as client:
        await demo.refuse()
        assert (await ending(client))[0] == 1006
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            await dial(demo)
    with socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind(("127.0.0.1", port))
    await demo.come_back()
    async with dial(demo):
        assert demo.port == port
    assert len(demo.dials) == 2


async def test_a_server_comes_back_by_itself(demo: DemoServer) -> None:
    await demo.refuse(0.05)
    with pytest.raises(ConnectionRefusedError):
        await dial(demo)
    async with asyncio.timeout(30):
        while True:
            try:
                async with dial(demo):
                    return
            except ConnectionRefusedError:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_a_blast_is_numbered_and_of_the_size_asked_for(demo: DemoServer, compression: str | None) -> None:
    async with dial(demo, compression=compression) as client:
        blast = asyncio.create_task(demo.blast(count=3000, size=200))
        messages = [await client.recv() for _ in range(3000)]
        assert await blast == {"sent": 3000}
        assert {len(message) for message in messages} == {200}
        assert [json.loads(message)["n"] for message in messages] == list(range(1, 3001))


async def test_a_blast_at_a_client_that_goes_away_ends(demo: DemoServer) -> None:
    async with dial(demo) as client:
        blast = asyncio.create_task(demo.blast(count=1_000_000, size=1000))
        await client.recv()
        client.transport.abort()
        assert (await asyncio.wait_for(blast, 30))["sent"] < 1_000_000


async def test_a_client_that_does_not_read_holds_up_nobody_and_is_dropped(demo: DemoServer) -> None:
    async with dial(demo, compression=None, close_timeout=0.05) as stuck, dial(demo, compression=None) as other:
        stuck.transport.pause_reading()
        for text, count in (("x" * 65536, 300), ("x", 11_000)):  # beyond the kernel's buffers, then beyond the outbox
            for _ in range(0, count, 100):
                for _ in range(100):
                    await demo.say(text)
                for _ in range(100):
                    assert await other.recv() == text
        await demo.until(lambda: demo.connections.now == 1)


async def test_it_counts_connections_by_path_now_and_at_most(demo: DemoServer) -> None:
    async with dial(demo), dial(demo, "/calls"):
        async with dial(demo):
            pass
        await demo.until(lambda: demo.connections.now == 2)
        at = demo.connections_at("/ws/notifications")
        assert (at.total, at.now, at.peak) == (2, 1, 2)
        assert (demo.connections.total, demo.connections.peak) == (3, 3)
        await demo.reset_counters()
        assert (demo.connections.total, demo.connections.now, demo.connections.peak) == (0, 2, 2)
        assert demo.dials == []
    await demo.until(lambda: demo.connections.now == 0)


def test_the_most_events_in_any_window() -> None:
    assert most_within([], 1.0) == 0
    assert most_within([0.0, 0.9, 1.0, 1.1, 5.0], 1.0) == 3
    assert most_within([1.0, 2.0, 3.0], 1.0) == 1
    assert most_within([3.0, 1.0, 1.5], 1.0) == 2


async def test_what_asks_for_nothing_of_ours_is_not_found_and_the_rest_lives(demo: DemoServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", demo.port)
    writer.write(b"GET /ws/notifications HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"400" in await reader.readline()
    writer.close()
    await writer.wait_closed()
    async with dial(demo) as client:
        await client.send("x" * (5 << 20))
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
