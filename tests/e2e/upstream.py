"""An upstream that the test plays: who connects, what arrives, and what is said to all."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync import server as threaded

__all__ = ["Upstream", "in_background", "upstream"]


class Upstream:
    """A server that reads, refuses and hangs up as the test says."""

    def __init__(self) -> None:
        self.connections = 0
        self.heard: list[str | bytes] = []
        self.clients: set[ServerConnection] = set()
        self.reading = asyncio.Event()
        self.reading.set()
        self.down = False
        self.port = 0

    async def handle(self, client: ServerConnection) -> None:
        self.connections += 1
        self.clients.add(client)
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.reading.wait()
                self.heard.append(await client.recv())
        self.clients.discard(client)

    def answer(self, client: ServerConnection, request: Request) -> Response | None:
        return client.respond(HTTPStatus.SERVICE_UNAVAILABLE, "down\n") if self.down else None

    async def say(self, message: str) -> None:
        for client in self.clients:
            await client.send(message)

    async def hang_up(self, code: int) -> None:
        for client in set(self.clients):
            await client.close(code)


@asynccontextmanager
async def upstream() -> AsyncIterator[Upstream]:
    it = Upstream()
    async with serve(it.handle, "127.0.0.1", 0, process_request=it.answer, max_queue=4) as server:
        it.port = next(iter(server.sockets)).getsockname()[1]
        yield it


@contextmanager
def in_background(handler: Callable[[threaded.ServerConnection], None], **options: Any) -> Iterator[int]:
    """Serve clients in threads, and give the port."""
    with threaded.serve(handler, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()
