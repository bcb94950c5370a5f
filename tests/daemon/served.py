"""A real server on a real socket, around a fake manager: ``from tests.waiting import descriptors, eventually
from tests.daemon.served import served``."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.daemon.fake_manager import FakeManager
from wscli.control.client import ManagerConnection
from wscli.control.paths import Instance
from wscli.daemon.outbox import Outbox
from wscli.daemon.socket.app import App
from wscli.daemon.socket.handlers import HANDLERS
from wscli.daemon.socket.server import Handler, Server
from wscli.gateway.server import Gateway

__all__ = ["Served", "serve", "served"]


class Served:
    """The server, its manager, and ways to reach it; blocking clients run in threads."""

    def __init__(self, manager: FakeManager, server: Server, directory: str) -> None:
        self.manager = manager
        self.server = server
        self.instance = Instance("app", "/nowhere/app.yaml", os.getpid(), directory)

    def dial(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(30)
        try:
            sock.connect(self.instance.socket)
        except OSError:
            sock.close()
            raise
        return sock

    async def ask(self, verb: str, args: Mapping[str, Any] | None = None, payload: bytes = b"") -> dict[str, Any]:
        """Ask as a command does; an error answer raises."""

        def blocking() -> dict[str, Any]:
            with ManagerConnection(self.instance, self.dial()) as client:
                return client.request(verb, args, payload=payload, timeout=30)

        return await asyncio.to_thread(blocking)

    async def exchange(self, data: bytes, *, hang_up: bool = False) -> list[dict[str, Any]]:
        """Send bytes, and give every line that is answered until the server hangs up."""
        reader, writer = await asyncio.open_unix_connection(self.instance.socket, limit=1 << 26)
        writer.write(data)
        if hang_up:
            writer.write_eof()
        lines = []
        async with asyncio.timeout(30):
            try:
                while line := await reader.readline():
                    lines.append(json.loads(line))
            except ConnectionResetError:
                pass  # the server hung up with some of what was sent unread
        writer.close()
        return lines


@asynccontextmanager
async def serve(
    manager: FakeManager | None = None, handlers: Mapping[str, Handler] = HANDLERS, **options: Any
) -> AsyncIterator[Served]:
    with tempfile.TemporaryDirectory() as directory:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(Path(directory, "app.sock")))
        listener.listen(64)
        listener.setblocking(False)
        fake: Any = manager or FakeManager()
        outbox = Outbox(fake, Path(directory, "outbox.db"))
        server = Server(App(fake, outbox, Gateway(fake)), listener, handlers, **options)
        server.start()
        try:
            yield Served(fake, server, directory)
        finally:
            await server.close()
            await outbox.settle()
            await fake.tasks.close()
            await outbox.close()


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    async with serve() as running:
        yield running
