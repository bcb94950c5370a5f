"""The demo back end in a running event loop: ``async with DemoServer(port=0) as demo``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Self

from aiohttp import web

from wscli.demo.calls import CallLine, CallTimes
from wscli.demo.client import DemoClient
from wscli.demo.consultations import Consultation
from wscli.demo.notifications import Notifications
from wscli.demo.tokens import TokenDesk

__all__ = ["DEFAULT_PORT", "HOST", "DemoServer"]

HOST = "127.0.0.1"
DEFAULT_PORT = 8790

_NOTIFICATIONS, _CALLS = "/ws/notifications", "/ws/calls"

Conversation = Callable[[web.Request, DemoClient], Awaitable[None]]


class DemoServer:
    """A back end on loopback; ``port`` 0 takes a free one.

    ``interval`` is the time between two notifications and ``token_life`` that of a token, in seconds. A token is
    checked at the upgrade only, so that a connection outlives it. With None for ``interval`` or ``calls`` no
    notifications or calls are made.
    """

    def __init__(
        self,
        port: int = DEFAULT_PORT,
        *,
        interval: float | None = 1.0,
        calls: CallTimes | None = CallTimes(),  # noqa: B008 - frozen
        token_life: float = 60.0,
    ) -> None:
        self.port = port
        self.tokens = TokenDesk(token_life)
        self.clients: set[DemoClient] = set()
        self._interval = interval
        self.notifications = Notifications()
        self._consultations: dict[str, Consultation] = {}
        self._calls = CallLine(calls or CallTimes(), lambda call: self.push(_CALLS, call))
        self._rings = calls is not None
        self._tasks: list[asyncio.Task[None]] = []
        app = web.Application()
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    def routes(self) -> list[web.RouteDef]:
        """Give the routes of the application."""
        return [
            web.post("/ws-token", self._issue),
            web.get("/notifications", self._missed),
            web.get(_NOTIFICATIONS, self._websocket(lambda request, client: client.serve())),
            web.get("/ws/consultations/{id}", self._websocket(self._consult)),
            web.get(
                _CALLS, self._websocket(lambda request, client: client.serve(partial(self._calls.command, client)))
            ),
        ]

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, self.port).start()
        self.port = self._runner.addresses[0][1]
        if self._interval is not None:
            self._tasks.append(asyncio.create_task(self._notify_every(self._interval)))
        if self._rings:
            self._tasks.append(asyncio.create_task(self._calls.run()))
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(client.close(1001) for client in self.clients))
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://{HOST}:{self.port}"

    @property
    def ws_url(self) -> str:
        """``ws://127.0.0.1:PORT/ws``: the ``url`` of an endpoint; channels append their path."""
        return f"ws://{HOST}:{self.port}/ws"

    def push(self, path: str, message: str) -> None:
        """Queue a message for every client of a path."""
        for client in self.clients:
            if client.path == path:
                client.push(message)

    def notify(self) -> None:
        """Send the next notification."""
        self.push(_NOTIFICATIONS, self.notifications.make())

    async def _notify_every(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            self.notify()

    # Requests

    async def _issue(self, request: web.Request) -> web.Response:
        return web.json_response(self.tokens.issue())

    async def _missed(self, request: web.Request) -> web.Response:
        """Answer ``GET /notifications?after=N``: what a client asks for that missed some."""
        if refusal := self.refusal(request):
            return refusal
        after = request.query.get("after", "0")
        if not after.isdecimal():
            return web.json_response({"error": "after must be a number"}, status=400)
        return web.json_response({"items": self.notifications.after(int(after))})

    def refusal(self, request: web.Request) -> web.Response | None:
        """Give the answer to a request without a valid token, which is in its query or a bearer; None for others."""
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        token = request.query.get("token") or (bearer if scheme.lower() == "bearer" else None)
        reason = self.tokens.refusal(token)
        return None if reason is None else web.json_response({"error": reason}, status=401)

    def _websocket(self, conversation: Conversation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            if refusal := self.refusal(request):
                return refusal
            client = await DemoClient.accept(request)
            self.clients.add(client)
            try:
                await conversation(request, client)
            finally:
                self.clients.discard(client)
            return client.socket

        return handle

    async def _consult(self, request: web.Request, client: DemoClient) -> None:
        name = request.match_info["id"]
        consultation = self._consultations.setdefault(name, Consultation(name))
        try:
            await consultation.serve(client, request.query.get("name"))
        finally:
            if not consultation.members:
                self._consultations.pop(name, None)
