"""The routes: the token desk, the gate that every upgrade passes, and what is behind it."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable

from aiohttp import web

from wscli.clock import Clock
from wscli.demo.calls import CALLS, CallLine
from wscli.demo.clients import Client, Clients
from wscli.demo.consultations import Consultations
from wscli.demo.counters import Counters
from wscli.demo.faults import TOKEN_PATH, Denial, Faults
from wscli.demo.notifications import MISSED, NOTIFICATIONS, Notifications
from wscli.demo.options import CallTimes, DemoOptions
from wscli.demo.tokens import TokenDesk

__all__ = ["Backend"]

_REVOKED = 4401

Conversation = Callable[[web.Request, Client], Awaitable[None]]


class Backend:
    """Everything but the listening socket."""

    def __init__(self, options: DemoOptions, clock: Clock) -> None:
        self.options = options
        self.desk = TokenDesk(options.token_life, clock)
        self.faults = Faults()
        self.counters = Counters(clock)
        self.clients = Clients()
        self.notifications = Notifications(self.clients, clock)
        self.consultations = Consultations()
        self.calls = CallLine(self.clients, options.calls or CallTimes())

    def routes(self) -> list[web.RouteDef]:
        """Give the routes of an application."""
        return [
            web.get("/", self._about),
            web.post(TOKEN_PATH, self._token),
            web.get(NOTIFICATIONS, self._gate(self._notifications)),
            web.get(MISSED, self._missed),
            web.get("/ws/consultations/{id}", self._gate(self._consultation)),
            web.get(CALLS, self._gate(self._call_line)),
        ]

    async def _about(self, request: web.Request) -> web.Response:
        return web.json_response({"name": "wscli demo back end", **self.counters.as_dict()})

    async def _token(self, request: web.Request) -> web.Response:
        self.desk.requests += 1
        self.counters.changed()
        await self.faults.answering(TOKEN_PATH)
        if denial := self.faults.take_denial(TOKEN_PATH):
            return _refused(denial)
        key = self.options.api_key
        given = request.headers.get("Authorization", "")
        if key is not None and not hmac.compare_digest(given.encode(), f"Bearer {key}".encode()):
            return web.json_response({"error": "the API key is missing or wrong"}, status=401)
        return web.json_response(self.desk.issue())

    async def _missed(self, request: web.Request) -> web.Response:
        await self.faults.answering(MISSED)
        denial = self.faults.take_denial(MISSED) or self._check_token(request)
        if denial:
            return _refused(denial)
        after = request.query.get("after", "0")
        if not after.isdecimal():
            return web.json_response({"error": "after is a number"}, status=400)
        return web.json_response({"items": self.notifications.after(int(after))})

    def _gate(self, conversation: Conversation) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.counters.dialled(request.path)
            await self.faults.answering(request.path)
            denial = self.faults.take_denial(request.path) or self._check_token(request)
            if denial and denial.close is None:
                return _refused(denial)
            socket = web.WebSocketResponse(
                autoping=False,  # a pong is withheld while silent
                autoclose=False,
                compress=self.options.compression,
                max_msg_size=self.options.max_message,
                timeout=1.0,
            )
            await socket.prepare(request)
            transport = request.transport
            if transport is None:
                return socket
            client = Client(request.path, socket, transport, self.counters)
            self.counters.opened(request.path)
            self.clients.add(client)
            try:
                if denial and denial.close is not None:
                    await self._turn_away(client, denial.close)
                else:
                    await conversation(request, client)
            finally:
                self.clients.discard(client)
                self.counters.closed(request.path)
            return socket

        return handle

    async def _turn_away(self, client: Client, code: int) -> None:
        closing = asyncio.create_task(client.close(code, ""))
        try:
            await client.serve(lambda message: None)
        finally:
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)

    def _check_token(self, request: web.Request) -> Denial | None:
        if not self.options.require_token:
            return None
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        token = request.query.get("token") or (bearer if scheme.lower() == "bearer" else None)
        refusal = self.desk.refusal(token)
        if refusal is None:
            return None
        close = _REVOKED if self.options.refuse_by == "close" else None
        return Denial(pattern=None, status=401, close=close, text=refusal)

    async def _notifications(self, request: web.Request, client: Client) -> None:
        await client.serve(lambda message: None)

    async def _consultation(self, request: web.Request, client: Client) -> None:
        room = request.match_info["id"]
        self.consultations.join(room, client, request.query.get("name"))
        try:
            await client.serve(lambda message: self.consultations.say(room, client, message))
        finally:
            self.consultations.leave(room, client)

    async def _call_line(self, request: web.Request, client: Client) -> None:
        await client.serve(lambda message: self.calls.command(client, message))


def _refused(denial: Denial) -> web.Response:
    return web.json_response({"error": denial.text}, status=denial.status, headers=denial.headers)
