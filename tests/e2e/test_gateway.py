"""The gateway of a real manager under bad clients and a bad upstream: stated, and felt by nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import psutil
from websockets.asyncio.client import ClientConnection, connect
from websockets.frames import Frame, Opcode

from tests.e2e.upstream import Upstream, upstream
from tests.gateway.faced import die, upgrade_request
from tests.processes import Manager, Wscli
from tests.waiting import eventually

TOKEN = "a-token-for-faults"
CONFIG = """
version: 1
name: faced
gateway: {{listen: "127.0.0.1:{port}", auth: {{token: {token}}}, max_message: 1MiB}}
endpoints:
  api: {{url: "ws://127.0.0.1:{upstream}", compression: none, verdicts: {{4900: stop}}}}
backoff:
  default: {{initial: 50ms, max: 50ms}}
channels:
  news: {{endpoint: api}}
"""
HEADER = {"Authorization": f"Bearer {TOKEN}"}


class Faced:
    """A manager, its upstream, and where its gateway is."""

    def __init__(self, manager: Manager, upstream: Upstream, port: int) -> None:
        self.manager, self.upstream, self.port = manager, upstream, port
        self._numbers = itertools.count()

    def client(self, query: str = "") -> connect:
        url = f"ws://127.0.0.1:{self.port}/ws/news{query}"
        return connect(url, additional_headers=HEADER, proxy=None, max_queue=None, max_size=None)

    async def raw(self) -> socket.socket:
        """A client that was let in, and may now misbehave."""
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.sendall(upgrade_request(self.port, TOKEN))
        sock.setblocking(False)
        head = await asyncio.get_running_loop().sock_recv(sock, 4096)
        assert head.startswith(b"HTTP/1.1 101")
        return sock

    async def stats(self) -> dict[str, Any]:
        return await asyncio.to_thread(self.manager.stats)

    async def until(self, **expected: object) -> None:
        """Wait until the channel's figures are these."""
        async with asyncio.timeout(30):
            while True:
                found = (await self.stats())["channels"]["news"]
                if all(found[key] == value for key, value in expected.items()):
                    return
                await asyncio.sleep(0.01)  # a poll of another process, which cannot wake us

    async def unharmed(self, client: ClientConnection) -> None:
        """Check that another client still gets what comes, soon."""
        message = f"news {next(self._numbers)}"
        await self.upstream.say(message)
        async with asyncio.timeout(30):
            assert await client.recv() == message


@asynccontextmanager
async def faced(wscli: Wscli) -> AsyncIterator[Faced]:
    async with upstream() as server, AsyncExitStack() as stack:
        manager = wscli.up(CONFIG.format(upstream=server.port, token=TOKEN, port=0))
        await asyncio.to_thread(manager.__enter__)
        stack.push_async_exit(lambda *exc: asyncio.to_thread(manager.__exit__, *exc))
        [place] = (await asyncio.to_thread(manager.stats))["gateway"]["listen"]
        it = Faced(manager, server, int(place.rpartition(":")[2]))
        await it.until(state="ready")
        yield it


def test_a_port_that_is_taken_is_in_status_and_heals(wscli: Wscli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        manager = wscli.up(CONFIG.format(upstream=1, token=TOKEN, port=port))
        manager.__enter__()
        shown = wscli("status").stdout
        assert f"problem: gateway 127.0.0.1:{port}: cannot listen there: address already in use" in shown
        assert manager.stats()["gateway"]["listen"] == []
    with manager:
        manager.until_stats(lambda stats: stats["gateway"]["listen"] == [f"127.0.0.1:{port}"])
        assert "problem:" not in wscli("status").stdout


async def test_bad_clients_are_felt_by_nobody_and_leave_nothing(wscli: Wscli) -> None:
    async with faced(wscli) as it, it.client() as other:
        descriptors = psutil.Process(it.manager.pid).num_fds
        before, loop = descriptors(), asyncio.get_running_loop()

        in_mid_message, in_mid_frame = await it.raw(), await it.raw()
        in_mid_message.send(Frame(Opcode.TEXT, b"begun", fin=False).serialize(mask=True))
        in_mid_frame.send(Frame(Opcode.TEXT, b"x" * 5000).serialize(mask=True)[:1000])
        half_open = [socket.create_connection(("127.0.0.1", it.port)) for _ in range(5)]
        half_open[0].send(b"GET /ws/news HTT")
        half_closed = await it.raw()
        half_closed.shutdown(socket.SHUT_WR)
        await it.unharmed(other)
        for sock in (in_mid_message, in_mid_frame):
            die(sock)
            sock.close()
        await it.unharmed(other)

        flood = await it.raw()
        ping = Frame(Opcode.PING, b"x").serialize(mask=True)
        one = Frame(Opcode.CONT, b"", fin=False).serialize(mask=True)
        begin = Frame(Opcode.TEXT, b"x", fin=False).serialize(mask=True)
        flooding = asyncio.create_task(loop.sock_sendall(flood, ping * 20_000 + begin + one * 60_000))
        while not flooding.done():
            await it.unharmed(other)
        await flooding
        answer = b""
        with contextlib.suppress(ConnectionError):  # it is closed in the middle of what follows
            await loop.sock_sendall(flood, one * 6_000)
        with contextlib.suppress(ConnectionResetError):
            while piece := await loop.sock_recv(flood, 1 << 16):
                answer = (answer + piece)[-200:]
        assert struct.pack("!H", 1009) in answer

        for sock in (flood, half_closed, *half_open):
            sock.close()
        await it.until(readers=1)
        await it.unharmed(other)
        assert it.upstream.heard == []
        await eventually(lambda: descriptors() <= before)


async def test_clients_stay_through_an_outage_and_are_told_at_once_or_at_the_end(wscli: Wscli) -> None:
    async with faced(wscli) as it, it.client() as patient, it.client("?strict=1") as strict:
        it.upstream.down = True
        await it.upstream.hang_up(4321)
        await asyncio.wait_for(strict.wait_closed(), 30)
        assert strict.close_code == 4321

        for number in range(100):
            await patient.send(f"held {number}")
        await (await patient.ping())
        assert it.upstream.heard == []
        it.upstream.down = False
        await it.until(state="ready", sent=100)
        await it.unharmed(patient)
        await eventually(lambda: len(it.upstream.heard) == 100)
        assert it.upstream.heard == [f"held {number}" for number in range(100)]

        await it.upstream.hang_up(4900)
        await asyncio.wait_for(patient.wait_closed(), 30)
        assert patient.close_code == 4900


async def test_a_client_that_outpaces_the_upstream_or_does_not_read_delays_no_other(wscli: Wscli) -> None:
    async with faced(wscli) as it, it.client() as other, it.client() as hasty:
        loop, memory = asyncio.get_running_loop(), psutil.Process(it.manager.pid).memory_info
        before = memory().rss
        it.upstream.reading.clear()
        messages = [f"{number:06}" + "x" * 500_000 for number in range(120)]

        async def send() -> None:
            for message in messages:
                await hasty.send(message)

        sending = loop.create_task(send())
        deaf = await it.raw()
        for _ in range(60):
            await it.upstream.say("y" * 400_000)
            assert len(await other.recv()) == 400_000
        await it.unharmed(other)
        assert not sending.done()
        assert memory().rss - before < 64 << 20
        it.upstream.reading.set()
        await asyncio.wait_for(sending, 60)
        await it.until(sent=len(messages))
        await eventually(lambda: len(it.upstream.heard) == len(messages))
        assert it.upstream.heard == messages

        assert await asyncio.to_thread(it.manager.stop) in (0, 143)
        await other.wait_closed()
        assert other.close_code == 1001
        deaf.close()
