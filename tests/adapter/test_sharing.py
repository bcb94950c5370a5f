"""Programs with the drop-in share the manager's one connection, and outlive the manager."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.processes import Manager, Wscli, wscli
from wscli.adapter import attach as attach_module
from wscli.adapter import connect
from wscli.adapter.sync import connect as connect_sync

__all__ = ["wscli"]

CONFIG = """\
version: 1
endpoints:
  api: {{url: "ws://127.0.0.1:{port}/ws", query: {{token: "{{token.session}}"}}}}
tokens:
  session: {{value: the-managers-own}}
backoff:
  default: {{initial: 1ms, max: 10ms}}
channels:
  calls: {{endpoint: api, path: /calls}}
"""


class Upstream:
    """A server that repeats to everybody what anybody says, and knows who dialled it."""

    def __init__(self) -> None:
        self.dialled: list[str] = []
        self.server: Server

    async def talk(self, websocket: ServerConnection) -> None:
        assert websocket.request is not None
        self.dialled.append(websocket.request.path)
        async for message in websocket:
            for connection in self.server.connections:
                await connection.send(message)

    @property
    def port(self) -> int:
        port: int = self.server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """What a program has in its source."""
        return f"ws://127.0.0.1:{self.port}/ws/calls?token=the-programs-own"


@pytest.fixture
def here(wscli: Wscli, monkeypatch: pytest.MonkeyPatch) -> Wscli:
    """The command, whose managers this process finds."""
    monkeypatch.setenv("WSCLI_RUNTIME_DIR", str(wscli.runtime))
    return wscli


@asynccontextmanager
async def serving(here: Wscli) -> AsyncIterator[tuple[Upstream, Manager]]:
    """Run a server, and a manager whose channel is open, with the loop free for the server."""
    upstream = Upstream()
    async with serve(upstream.talk, "127.0.0.1", 0) as upstream.server:
        manager = here.up(CONFIG.format(port=upstream.port))
        await asyncio.to_thread(manager.__enter__)
        await asyncio.to_thread(manager.wait_for, "calls")
        yield upstream, manager
        await asyncio.to_thread(manager.__exit__, None, None, None)


async def test_several_programs_share_one_connection_and_no_token_of_theirs_is_used(here: Wscli) -> None:
    async with serving(here) as (upstream, manager), AsyncExitStack() as clients:
        several = [await clients.enter_async_context(connect(upstream.url)) for _ in range(3)]
        threads = [await asyncio.to_thread(connect_sync, upstream.url, legacy=True) for _ in range(2)]
        tail = here.start("tail", "calls", "--count", "2")
        await asyncio.to_thread(manager.until_stats, lambda stats: stats["channels"]["calls"]["readers"] == 6)
        await several[0].send("one")
        await asyncio.to_thread(threads[0].send, "two")
        expected = {"one", "two"}
        for websocket in several:
            assert {await websocket.recv(), await websocket.recv()} == expected
        for thread in threads:
            assert {await asyncio.to_thread(thread.recv, 10), await asyncio.to_thread(thread.recv, 10)} == expected
            await asyncio.to_thread(thread.close)
        assert await asyncio.to_thread(tail.wait) == 0
        assert set(tail.out) == expected
        assert upstream.dialled == ["/ws/calls?token=the-managers-own"]
    assert "the-programs-own" not in manager.stderr


async def test_an_upstream_that_is_lost_is_not_felt_by_the_program(here: Wscli) -> None:
    async with serving(here) as (upstream, manager), connect(upstream.url) as websocket:
        for connection in upstream.server.connections:
            await connection.close(1012)
        await asyncio.to_thread(manager.until_stats, lambda stats: stats["channels"]["calls"]["reconnects"] == 1)
        await asyncio.to_thread(manager.wait_for, "calls")
        await websocket.send("again")
        assert await websocket.recv() == "again"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 1001), (signal.SIGKILL, 1006)])
async def test_a_program_that_reconnects_outlives_its_manager(
    here: Wscli, number: int, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(here) as (upstream, manager):
        codes = []
        async with aclosing(aiter(connect(upstream.url))) as connections:
            async for websocket in connections:
                try:
                    await websocket.send("hello")
                    assert await websocket.recv() == "hello"
                    if codes:
                        break
                    assert caplog.records == []
                    await asyncio.to_thread(manager.stop, number)
                    await websocket.recv()
                except ConnectionClosed:
                    codes.append(websocket.protocol.close_code)
        assert codes == [code]
        assert upstream.dialled == ["/ws/calls?token=the-managers-own", "/ws/calls?token=the-programs-own"]
        (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert "/ws/calls is dialled directly, and not shared: no instance is running" in warning


async def test_a_manager_that_is_stopped_in_its_tracks_is_gone_around(
    here: Wscli, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(attach_module, "ATTACH_PATIENCE", 0.1)
    async with serving(here) as (upstream, manager):
        os.kill(manager.pid, signal.SIGSTOP)
        try:
            async with connect(upstream.url) as websocket:
                await websocket.send("hello")
                assert await websocket.recv() == "hello"
        finally:
            os.kill(manager.pid, signal.SIGCONT)
        assert "the manager did not answer in time" in caplog.text
