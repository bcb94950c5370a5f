"""The fixtures of the transport's tests: both adapters, dials, certificates."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from tests.transport.certificates import Certificates, certificates
from tests.transport.recorder import Recorder
from tests.transport.servers import Peer, Script, Server, serve
from wscli.core.failures import Failure
from wscli.net.tls import TlsSettings, make_tls
from wscli.transport.connection import Connection, DialTarget, DialTimeline
from wscli.transport.open import Adapter, open_connection

T = TypeVar("T")

needs_picows = pytest.mark.skipif(
    importlib.util.find_spec("picows") is None, reason="the extra 'fast' (picows) is not installed"
)
over_tls_too = pytest.mark.parametrize("secure", [False, True], indirect=True, ids=["ws", "wss"])


@pytest.fixture
def secure(request: pytest.FixtureRequest) -> bool:
    """Whether ``dial`` serves over TLS."""
    return bool(getattr(request, "param", False))


@pytest.fixture(params=["websockets", pytest.param("picows", marks=needs_picows)])
def adapter(request: pytest.FixtureRequest) -> Adapter:
    found: Adapter = request.param
    return found


async def begun(call: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Start a call, and give it its first turns; what it writes, it writes at once."""
    task = asyncio.ensure_future(call)
    for _ in range(3):
        await asyncio.sleep(0)
    return task


class Dials:
    """Opens links with one adapter, directly, uncompressed and within twenty seconds unless told otherwise.

    With certificates it serves over TLS, and trusts their authority alone.
    """

    server: Server
    """The last one that a script was served with."""

    def __init__(self, adapter: Adapter, certs: Certificates | None = None) -> None:
        self.adapter = adapter
        self.serving = certs and certs.serving(certs.good)
        self.trusting = certs and make_tls(TlsSettings(ca=str(certs.ca)))
        self.timeline = DialTimeline()
        self.links: list[Connection] = []

    async def __call__(self, url: str, listener: Any = None, **options: Any) -> tuple[Connection, Recorder]:
        recorder = listener or Recorder()
        target = DialTarget(url, compression="none", tls=self.trusting, proxy="none", timeout=20.0)
        self.timeline = DialTimeline()
        link = await open_connection(replace(target, **options), recorder, self.timeline, adapter=self.adapter)
        self.links.append(link)
        return link, recorder

    @asynccontextmanager
    async def served(
        self, script: Script, listener: Any = None, **options: Any
    ) -> AsyncIterator[tuple[Connection, Recorder]]:
        """Open a connection to a scripted server for the length of a block."""
        async with serve(script, tls=self.serving) as self.server:
            yield await self(self.server.url, listener, **options)
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

        async with self.served(script, **options) as (_, seen):
            failure = await seen.ended()
            await self.server.scripts_done()
            return failure, codes[0], seen

    async def close(self) -> None:
        for link in self.links:
            link.abort()
            await link.close(deadline=0.0)


@pytest.fixture
async def dial(adapter: Adapter, secure: bool, request: pytest.FixtureRequest) -> AsyncIterator[Dials]:
    """Dial with each adapter in turn."""
    dials = Dials(adapter, request.getfixturevalue("certs") if secure else None)
    yield dials
    await dials.close()


@pytest.fixture(scope="session")
def certs(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))
