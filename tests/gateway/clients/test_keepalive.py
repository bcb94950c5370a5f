"""The gateway pings its clients, and drops the one that answers nothing."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator

import pytest

from tests.daemon.scripted import changed, channel_plan
from tests.daemon.virtual_time import VirtualTime
from tests.gateway.faced import faced
from tests.waiting import eventually
from wscli.config.models.gateway import GatewayAuth, GatewayPlan
from wscli.config.models.upstream import Keepalive
from wscli.daemon.fanout.socket_writer import SocketWriter
from wscli.gateway.clients.channel_feed import ClientFeed
from wscli.gateway.clients.keepalive import ClientKeepalive, keepalive_of_clients
from wscli.values import Secret

PING = b"\x89\x00"
PONG = b"\x8a\x80\x00\x00\x00\x00"


class Backlog(ClientFeed):
    """What waits for a client beside the control frames."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[bytes] = []

    def _next(self) -> list[bytes] | None:
        return [self.waiting.pop(0)] if self.waiting else None


class Pinged:
    """A client whose pings come in virtual time, over a real socket."""

    def __init__(self) -> None:
        self.time = VirtualTime()
        self.ours, self.theirs = _connected()
        self.feed = Backlog()
        self.writer = SocketWriter(self.ours, self.feed)
        self.running = asyncio.get_running_loop().create_task(self.writer.run())
        self.times = Keepalive(ping=20.0, timeout=5.0)
        self.listening = True
        self.dropped: list[str] = []
        self.keepalive = ClientKeepalive(
            self.ours,
            self.writer,
            ping=self.feed.ping,
            times=lambda: self.times,
            listening=lambda: self.listening,
            dead=self.dropped.append,
            schedule=self.time.schedule,
        )
        self.keepalive.start()

    def read(self, most: int = 1 << 16) -> bytes:
        """What arrived at the client's end by now."""
        try:
            return self.theirs.recv(most)
        except BlockingIOError:
            return b""

    async def pings_after(self, seconds: float) -> int:
        """Move on, and count the pings that arrived."""
        await self.time.advance(seconds)
        return self.read().count(PING)


def _connected() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    for sock in (ours, theirs):
        sock.setblocking(False)
    return ours, theirs


@pytest.fixture
async def client() -> Iterator[Pinged]:
    made = Pinged()
    yield made
    made.keepalive.stop()
    made.running.cancel()
    await asyncio.wait([made.running])
    made.ours.close()
    made.theirs.close()


async def test_an_idle_client_is_pinged_once_an_interval_and_lives(client: Pinged) -> None:
    for _ in range(5):
        assert await client.pings_after(19.5) == 0
        assert await client.pings_after(0.5) == 1
        client.keepalive.heard()
    assert client.dropped == []


async def test_a_timeout_over_the_interval_delays_no_ping(client: Pinged) -> None:
    client.times = Keepalive(ping=1.0, timeout=20.0)
    await client.time.advance(20.0)  # the first interval was that of before
    for _ in range(5):
        client.keepalive.heard()
        assert await client.pings_after(1.0) >= 1


async def test_a_client_that_answers_nothing_is_dropped_after_the_timeout(client: Pinged) -> None:
    assert await client.pings_after(20.0) == 1
    await client.time.advance(4.9)
    assert client.dropped == []
    await client.time.advance(0.1)
    assert client.dropped == ["5s"]
    assert client.time.pending == []


async def test_a_client_that_is_not_read_from_is_not_judged(client: Pinged) -> None:
    client.listening = False
    await client.time.advance(200.0)
    assert client.dropped == []


async def test_a_client_that_takes_nothing_is_dropped(client: Pinged) -> None:
    client.feed.waiting = [b"x" * (8 << 20)]
    client.writer.wake()
    assert client.writer.pinned > 0
    await client.time.advance(25.0)
    assert client.dropped == ["5s"]


async def test_a_client_whose_ping_is_on_its_way_is_waited_for_as_long_as_the_way_moves(client: Pinged) -> None:
    client.feed.waiting = [b"x" * (8 << 20)]
    client.writer.wake()
    await client.time.advance(20.0)
    for _ in range(8):
        before = client.writer.taken
        while client.writer.taken == before:
            client.read(1 << 20)
            await asyncio.sleep(0)
        await client.time.advance(5.0)
        assert client.dropped == []
    await client.time.advance(5.0)
    assert client.dropped == ["5s"]


async def test_a_client_that_reads_everything_and_answers_no_ping_is_dropped(client: Pinged) -> None:
    for _ in range(40):
        if client.dropped:
            break
        client.feed.waiting.append(b"a message")
        client.writer.wake()
        await client.time.advance(1.0)
        client.read()
    assert client.dropped == ["5s"]


async def test_without_pings_none_is_sent_until_a_reload_declares_some(client: Pinged) -> None:
    client.times = Keepalive(ping=None)
    assert await client.pings_after(100.0) == 1  # the one that was due
    client.times = Keepalive(ping=1.0)
    assert await client.pings_after(22.0) >= 1


@pytest.mark.parametrize(
    ("declared", "upstream", "ping"),
    [
        (None, Keepalive(), 20.0),
        (None, Keepalive(ping=1.0, timeout=3.0), 1.0),
        (None, Keepalive(ping=60.0), 20.0),
        (None, Keepalive(ping=None), 20.0),
        ("none", Keepalive(ping=1.0), None),
        (Keepalive(ping=45.0), Keepalive(ping=1.0), 45.0),
    ],
)
def test_the_gateway_s_own_keepalive_goes_before_the_endpoint_s(
    declared: object, upstream: Keepalive, ping: float | None
) -> None:
    plan = GatewayPlan(auth=GatewayAuth(token=Secret("x")), keepalive=declared)  # type: ignore[arg-type]
    assert keepalive_of_clients(plan, upstream).ping == ping
    assert keepalive_of_clients(None).ping == 20.0


@pytest.mark.parametrize("path", ["/ws/news", "/status"])
async def test_a_client_that_never_answers_is_reset(path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wscli.gateway")
    async with faced(keepalive=Keepalive(ping=0.05, timeout=0.1)) as it:
        reader, writer = await it.raw_client(path)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        assert "is dropped: no pong within 100ms" in caplog.text
        await eventually(lambda: it.stats["clients"] == 0)
        assert it.stats["dropped"] == 1


async def test_the_endpoint_s_shorter_interval_is_that_of_its_channel_s_clients() -> None:
    plan = changed(channel_plan(), keepalive=Keepalive(ping=0.05, timeout=30.0))
    async with faced(plan) as it:
        reader, writer = await it.raw_client()
        assert await reader.readexactly(2) == PING
        writer.write(PONG)
        assert await reader.readexactly(2) == PING
        writer.close()
