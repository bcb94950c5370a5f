"""A served fake manager whose channels can be tailed: ``from tests.daemon.tailing import tailed``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest_asyncio

from tests.daemon.fake_manager import FakeManager
from tests.daemon.framed import FarEnd
from tests.daemon.served import Served, serve
from wscli.control.protocol import encode_line, greeting
from wscli.tasks import Tasks

__all__ = ["Tailed", "fill", "tailed"]


def fill(channel: Any, *messages: bytes | str, kinds: bytes | None = None) -> None:
    """Let messages arrive together."""
    channel.history.append([one.encode() if isinstance(one, str) else one for one in messages], kinds)


class Tailed:
    """The server, its channels, and ways to tail them."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.manager: Any = served.manager
        self.notifications, self.calls = (self.manager.known[name] for name in ("notifications", "calls"))
        self.env = {"WSCLI_RUNTIME_DIR": served.instance.directory}
        registration = {"file": served.instance.file, "pid": served.instance.pid}
        Path(served.instance.directory, "app.json").write_text(json.dumps(registration))

    @asynccontextmanager
    async def tail(self, *channels: str, **args: Any) -> AsyncIterator[tuple[dict[str, Any], FarEnd]]:
        """Ask for a stream; give the answer and the frames' end of it."""
        loop = asyncio.get_running_loop()
        with self.served.dial() as sock:
            sock.setblocking(False)
            request = {**greeting(), "verb": "tail", "args": {"channels": channels, "follow": True, **args}}
            await loop.sock_sendall(sock, encode_line(request))
            line = bytearray()
            while not line.endswith(b"\n"):
                line += await loop.sock_recv(sock, 1)
            yield json.loads(line), FarEnd(sock)


@pytest_asyncio.fixture
async def tailed() -> AsyncIterator[Tailed]:
    manager: Any = FakeManager()
    manager.tasks = Tasks()
    for channel in manager.channels():
        channel.backpressure = None
        channel.snapshot = SimpleNamespace(reason=SimpleNamespace(text="so it was set"))
    async with serve(manager) as served:
        yield Tailed(served)
    await manager.tasks.close()
