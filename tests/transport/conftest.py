"""The fixtures of the transport's tests: both adapters, dials, certificates."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.transport.certificates import Certificates, certificates
from tests.transport.recorder import Recorder
from tests.transport.servers import Peer, Script, serve
from wscli.core.events import Failure
from wscli.transport.connection import Connection, DialTarget, DialTimeline
from wscli.transport.open import Adapter, fallbacks, open_connection

needs_picows = pytest.mark.skipif(
    importlib.util.find_spec("picows") is None, reason="the extra 'fast' (picows) is not installed"
)


@pytest.fixture(params=["websockets", pytest.param("picows", marks=needs_picows)])
def adapter(request: pytest.FixtureRequest) -> Adapter:
    found: Adapter = request.param
    return found


@pytest.fixture(autouse=True)
def _no_memory() -> Iterator[None]:
    """No test sees which servers another found picows to refuse."""
    fallbacks.clear()
    yield
    fallbacks.clear()


class Dials:
    """Opens links with one adapter, directly, uncompressed and within twenty seconds unless told otherwise."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.timeline = DialTimeline()
        self.links: list[Connection] = []

    async def __call__(self, url: str, listener: Any = None, **options: Any) -> tuple[Connection, Recorder]:
        recorder = listener or Recorder()
        target = replace(DialTarget(url, compression="none", proxy="none", timeout=20.0), **options)
        self.timeline = DialTimeline()
        link = await open_connection(target, recorder, self.timeline, adapter=self.adapter)
        self.links.append(link)
        return link, recorder

    @asynccontextmanager
    async def served(
        self, script: Script, listener: Any = None, **options: Any
    ) -> AsyncIterator[tuple[Connection, Recorder]]:
        """Open a connection to a scripted server for the length of a block."""
        async with serve(script) as server:
            yield await self(server.url, listener, **options)
            await self.close()

    @asynccontextmanager
    async def upgraded(
        self, script: Script, listener: Any = None, **options: Any
    ) -> AsyncIterator[tuple[Connection, Recorder]]:
        """Open a connection to a scripted server, which has accepted the upgrade before its script runs."""

        async def whole(peer: Peer) -> None:
            await peer.upgrade()
            await script(peer)

        async with self.served(whole, listener, **options) as opened:
            yield opened

    async def ended_by(
        self, *data: bytes, headers: tuple[str, ...] = (), **options: Any
    ) -> tuple[Failure, int | None, Recorder]:
        """Have a server send these bytes after the upgrade, and read on until our close frame.

        Give the end of the connection, the code of that frame, and what came before.
        """
        codes: list[int | None] = []

        async def script(peer: Peer) -> None:
            await peer.upgrade(*headers)
            for piece in data:
                await peer.send(piece)
            codes.append(await peer.read_close())

        async with serve(script) as server:
            _, seen = await self(server.url, **options)
            failure = await seen.ended()
            await server.scripts_done()
            return failure, codes[0], seen

    async def close(self) -> None:
        for link in self.links:
            link.abort()
            await link.close(deadline=0.0)


@pytest.fixture
async def dial(adapter: Adapter) -> AsyncIterator[Dials]:
    """Dial with each adapter in turn."""
    dials = Dials(adapter)
    yield dials
    await dials.close()


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))
