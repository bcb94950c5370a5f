"""The gateway: listens at the declared addresses, checks access, and serves channels, the live feed and pages."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from functools import partial
from typing import Any

from websockets.http11 import Request, Response

from wscli.config.models.gateway import GatewayPlan, Listen
from wscli.daemon.channel.channel import Channel
from wscli.daemon.registry.manager import Manager
from wscli.daemon.registry.observer import Observer
from wscli.errors import UnknownChannel
from wscli.gateway.access import Refusal, admit
from wscli.gateway.channels import serve_channel
from wscli.gateway.handshake import ClientGone, Handshake, response
from wscli.gateway.http.channels import CHANNELS, serve_channel_request
from wscli.gateway.http.cors import cors_headers, is_preflight, preflight_response
from wscli.gateway.http.pages import PAGES, Page
from wscli.gateway.http.sending import MessageQueue
from wscli.gateway.listener import GatewayListener
from wscli.gateway.requests import channel_name, offered_subprotocols, query, subprotocols
from wscli.gateway.status import StatusSession
from wscli.timing import Schedule, call_later

__all__ = ["MOST_STRANGERS", "Gateway"]

logger = logging.getLogger("wscli.gateway")

CLOSE_DEADLINE = 1.0
"""Seconds for the clients' tasks to end at shutdown."""
MOST_STRANGERS = 128
"""Clients that have not shown the token; one more takes the place of the oldest, which is hung up on."""
_ATTACHED_HEADER, _ATTACHED_MESSAGE = 64 << 10, 16 << 20
"""Limits for attached clients, in bytes, whatever the plan's gateway says."""
_NOT_ALLOWED = b"only GET and HEAD are answered here\nhint: a POST to /channels/CHANNEL sends a message\n"


class Gateway(Observer):
    """The HTTP and WebSocket server of a manager, following the ``gateway:`` of its plan."""

    def __init__(self, manager: Manager, outbox: MessageQueue, *, schedule: Schedule = call_later) -> None:
        self._manager = manager
        self._outbox = outbox
        self._schedule = schedule
        self._plan: GatewayPlan | None = None
        self._listeners: dict[Listen, GatewayListener] = {}
        self._clients: set[asyncio.Task[None]] = set()
        """The tasks of clients that were let in."""
        self._strangers: dict[asyncio.Task[None], None] = {}
        """The tasks of those that have not shown the token, the oldest first."""
        self._refused = 0
        self._dropped = 0

    def reloaded(self) -> None:
        """Listen at the addresses of the manager's plan and no others; connected clients stay."""
        plan = self._manager.plan.gateway
        if plan is not None and plan.token is None and (self._plan is None or self._plan.token is not None):
            text = "the gateway asks for no token: every program of this machine may read and send (auth: none)"
            logger.warning(text, extra={"event": "gateway-open"})
        self._plan = plan
        wanted = plan.listen if plan is not None else ()
        leaving = [self._listeners.pop(listen) for listen in list(self._listeners) if listen not in wanted]
        coming = {
            listen: GatewayListener(listen, self._manager.problems, self._schedule, self._accept)
            for listen in wanted
            if listen not in self._listeners
        }
        self._listeners.update(coming)
        if leaving:
            self._manager.tasks.spawn(_replace(leaving, list(coming.values())), name="gateway-relisten")
        else:
            for listener in coming.values():
                listener.open()

    async def close(self, deadline: float = CLOSE_DEADLINE) -> None:
        """Stop accepting, close every client, and wait ``deadline`` seconds at most."""
        for listener in self._listeners.values():
            await listener.close()
        self._listeners.clear()
        tasks = [*self._clients, *self._strangers]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=deadline)

    def stats(self) -> dict[str, Any]:
        """Give the gateway's part of ``stats --json``: None where the plan has no gateway."""
        if self._plan is None:
            return {"gateway": None}
        listen = [str(one.bound) for one in self._listeners.values() if one.bound is not None]
        now = {"clients": len(self._clients), "strangers": len(self._strangers)}
        return {"gateway": {"listen": listen, **now, "refused": self._refused, "dropped": self._dropped}}

    async def attach(self, sock: socket.socket, channel: Channel) -> None:
        """Serve a channel to a WebSocket client of the control socket, which sends its upgrade request next."""
        handshake = Handshake(sock, max_header=_ATTACHED_HEADER, max_message=_ATTACHED_MESSAGE, attached=True)
        with self._met(handshake):
            request = await handshake.request()
            offered = subprotocols(request.headers)
            await serve_channel(self._manager, handshake, request, lambda: channel, offered=offered)

    @contextlib.contextmanager
    def _met(self, handshake: Handshake) -> Iterator[None]:
        """Serve a client until it is gone, and count it where it was dropped."""
        try:
            with contextlib.suppress(ClientGone):
                yield
        finally:
            self._dropped += handshake.dropped

    def _accept(self, sock: socket.socket, listen: Listen) -> None:
        plan = self._plan
        if plan is None:
            sock.close()
            return
        if len(self._strangers) >= MOST_STRANGERS:
            self._refused += 1
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.cancel()
        task = asyncio.get_running_loop().create_task(self._serve(plan, sock, listen), name="gateway-client")
        self._strangers[task] = None
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._strangers.pop(task, None)
        self._clients.discard(task)

    def _let_in(self, plan: GatewayPlan) -> Refusal | None:
        """Count the client of this task among those that have shown the token, if there is room."""
        task = asyncio.current_task()
        if len(self._clients) >= plan.max_clients or task is None:
            return Refusal(503, "the gateway has as many clients as it takes\nhint: raise gateway.max_clients")
        self._strangers.pop(task, None)
        self._clients.add(task)
        return None

    async def _serve(self, plan: GatewayPlan, sock: socket.socket, listen: Listen) -> None:
        try:
            handshake = Handshake(sock, max_header=plan.max_header, max_message=plan.max_message)
            with self._met(handshake):
                request = await handshake.request()
                await self._answer(plan, handshake, request, listen)
        except Exception:  # a bug ends this client only
            logger.exception("a client of the gateway met a bug")
        finally:
            sock.close()

    async def _answer(self, plan: GatewayPlan, handshake: Handshake, request: Request, listen: Listen) -> None:
        path = request.path.partition("?")[0]
        upgrade = any("websocket" in value.lower() for value in request.headers.get_all("Upgrade"))  # validly or not
        offered, spare = offered_subprotocols(request.headers)
        page = None if upgrade else PAGES.get(path)
        needs_token = not is_preflight(request) and (page is None or page.needs_token)
        refusal = admit(plan, listen, request, needs_token=needs_token)
        if refusal is None and needs_token:
            refusal = self._let_in(plan)
        if refusal is not None:
            self._refused += 1
            text = f"{refusal.text}\n".encode()
            await handshake.answer(request, response(refusal.status, text, headers=refusal.headers))
        elif is_preflight(request):
            await handshake.answer(request, preflight_response(request))
        elif page is not None and request.method in ("GET", "HEAD"):
            await handshake.answer(request, _rendered(page, self._manager, request))
        elif page is not None:
            await handshake.answer(request, response(405, _NOT_ALLOWED, headers={"Allow": "GET, HEAD"}))
        elif upgrade and path == "/status":
            if await handshake.accept(request, spare):
                await StatusSession(self._manager, handshake).run()
        elif path.startswith("/ws/"):
            find, options = partial(self._find, request.path), query(request.path)
            await serve_channel(self._manager, handshake, request, find, offered=offered, spare=spare, query=options)
        elif path.startswith(CHANNELS) and not upgrade:
            await serve_channel_request(self._manager, self._outbox, handshake, request, self._schedule)
        else:
            text = b"there is nothing at this path\nhint: channels are at /ws/CHANNEL and /channels/CHANNEL\n"
            await handshake.answer(request, response(404, text))

    def _find(self, path: str) -> Channel:
        if (name := channel_name(path)) is None:
            raise UnknownChannel("this path names no channel", "`wscli status` lists the channels")
        return self._manager.channel(name)


async def _replace(leaving: list[GatewayListener], coming: list[GatewayListener]) -> None:
    """Close before opening: a new address may overlap an old one, such as 0.0.0.0 with 127.0.0.1."""
    for listener in leaving:
        await listener.close()
    for listener in coming:
        listener.open()


def _rendered(page: Page, manager: Manager, request: Request) -> Response:
    answer = page.respond(manager, ", ".join(request.headers.get_all("Accept")))
    return response(answer.status, answer.body, answer.content_type, {**answer.headers, **cors_headers(request)})
