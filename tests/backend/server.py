"""The demo back end with faults, orders and counters: the peer of a manager in tests.

``tests.backend.process`` runs it in a process of its own, where orders arrive over HTTP.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from aiohttp import web

from wscli.demo.client import DemoClient
from wscli.demo.server import HOST, DemoServer

__all__ = ["Backend", "Dial", "main"]

ORDERS = ("allow", "blast", "deny", "kick", "make_notifications", "say", "stats")


class Dial(NamedTuple):
    """A request for an upgrade, refused ones included; ``at`` is monotonic seconds."""

    at: float
    path: str


@dataclass
class Denial:
    """A refusal of the next ``left`` requests of a path or glob, or of all until ``allow``."""

    path: str | None
    status: int
    retry_after: int | None
    left: float


def matches(path: str, pattern: str | None) -> bool:
    """Say whether a path is meant: None means every WebSocket path, else it is a path or a glob."""
    return path.startswith("/ws/") if pattern is None else fnmatchcase(path, pattern)


class Backend(DemoServer):
    """Makes notifications and calls, and lets tokens expire within the hour, only where an option says so.

    Each order is a method that returns JSON.
    """

    def __init__(self, *, require_token: bool = True, **options: Any) -> None:
        super().__init__(**{"port": 0, "interval": None, "calls": None, "token_life": 3600.0, **options})
        self.require_token = require_token
        self.token_requests = 0
        self.dials: list[Dial] = []
        self.opened = self.peak = 0
        self._denials: list[Denial] = []
        self._runner.app.middlewares.append(self._watch)
        self._runner.app.on_response_prepare.append(self._count)

    def routes(self) -> list[web.RouteDef]:
        """Give the demo's routes, and one for the orders."""
        return [*super().routes(), web.post("/order/{name}", self._take_order)]

    async def _take_order(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        assert name in ORDERS, name
        return web.json_response(await getattr(self, name)(**await request.json()))

    @web.middleware
    async def _watch(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.token_requests += request.path == "/ws-token"
        if matches(request.path, None):
            self.dials.append(Dial(time.monotonic(), request.path))
        denial = next((one for one in self._denials if matches(request.path, one.path)), None)
        if denial is None:
            return await handler(request)
        denial.left -= 1
        if not denial.left:
            self._denials.remove(denial)
        headers = {} if denial.retry_after is None else {"Retry-After": str(denial.retry_after)}
        return web.json_response({"error": "told to refuse"}, status=denial.status, headers=headers)

    def refusal(self, request: web.Request) -> web.Response | None:
        """Let all in where no token is required."""
        return super().refusal(request) if self.require_token else None

    async def _count(self, request: web.Request, response: web.StreamResponse) -> None:
        if isinstance(response, web.WebSocketResponse):
            self.opened += 1
            self.peak = max(self.peak, len(self.clients) + 1)

    def _at(self, path: str | None) -> list[DemoClient]:
        return [client for client in self.clients if matches(client.path, path)]

    # Orders; a path is a path or a glob, and None means every WebSocket path

    async def kick(
        self, path: str | None = None, *, code: int = 1001, reason: str = "", abort: bool = False
    ) -> dict[str, Any]:
        """Close connections with a code and a reason, or drop them without a close frame."""
        clients = self._at(path)
        if abort:
            for client in clients:
                client.abort()
            await asyncio.gather(*(client.ended.wait() for client in clients))
        else:
            await asyncio.gather(*(client.close(code, reason) for client in clients))
        return {}

    async def deny(
        self, path: str | None = None, *, status: int = 503, retry_after: int | None = None, count: float = math.inf
    ) -> dict[str, Any]:
        """Refuse the next ``count`` requests of a path, or all until ``allow``."""
        self._denials.append(Denial(path, status, retry_after, count))
        return {}

    async def allow(self) -> dict[str, Any]:
        """End every denial."""
        self._denials.clear()
        return {}

    async def revoke(self, *, close: bool = True) -> dict[str, Any]:
        """Make every token invalid, and close the connections with 4401 where ``close`` says so."""
        self.tokens.revoke_all()
        return await self.kick(code=4401, reason="the token was revoked") if close else {}

    async def blast(self, path: str | None = None, *, count: int = 1000, size: int = 200) -> dict[str, Any]:
        """Send numbered messages of ``size`` bytes to each client, as fast as each takes them; return once sent."""
        messages = []
        for number in range(1, count + 1):
            head = f'{{"n":{number},"pad":"'
            messages.append(head + "x" * (size - len(head) - 2) + '"}')

        async def send(client: DemoClient) -> None:
            for number, message in enumerate(messages):
                await client.send(message)
                if number % 256 == 0:
                    await asyncio.sleep(0)

        await asyncio.gather(*(send(client) for client in self._at(path)))
        return {}

    async def say(self, message: str, path: str | None = None) -> dict[str, Any]:
        """Send one message to every client."""
        for client in self._at(path):
            client.push(message)
        return {}

    async def make_notifications(self, count: int = 1) -> dict[str, Any]:
        """Send the next notifications at once; ``last`` is the number of the last."""
        for _ in range(count):
            self.notify()
            await asyncio.sleep(0)
        return {"last": self.notifications.last}

    async def stats(self) -> dict[str, Any]:
        """Give the counters."""
        connections = {"now": len(self.clients), "total": self.opened, "peak": self.peak}
        return {"connections": connections, "dials": len(self.dials), "token_requests": self.token_requests}

    async def be_gone(self, over: Callable[[], Awaitable[object]]) -> None:
        """Drop all connections and refuse dials until ``over`` returns, then listen again at the same port."""
        for site in self._runner.sites:
            await site.stop()
        reserved = socket.socket()
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((HOST, self.port))  # bound all the while, else another program could take it
        await self.kick(abort=True)
        await over()
        await web.SockSite(self._runner, reserved).start()


async def _serve(backend: Backend, ready_fd: int) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with backend:
        with os.fdopen(ready_fd, "w") as ready:
            ready.write(str(backend.port))
        await stopping.wait()


def main() -> None:
    """Serve until SIGINT or SIGTERM, with options as JSON in the first argument and the port told to a descriptor."""
    options, ready_fd = sys.argv[1:]
    asyncio.run(_serve(Backend(**json.loads(options)), int(ready_fd)))
