"""The gateway: listens where the file says, lets in who passes the walls, and serves channels, the feed and pages."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from wscli.config.models.gateway import GatewayPlan, Listen
from wscli.control.reports import GatewayStats
from wscli.errors import UnknownChannel
from wscli.gateway.channels import open_session
from wscli.gateway.handshake import Handshake, Vanished, response
from wscli.gateway.listener import Listener
from wscli.gateway.pages import PAGES, Page
from wscli.gateway.status import StatusSession
from wscli.gateway.walls import admit, channel_name, query, subprotocols
from wscli.gateway.wire import Wire
from wscli.timing import Schedule, call_later

if TYPE_CHECKING:
    from wscli.daemon.channel.channel import Channel
    from wscli.daemon.registry.manager import Manager

__all__ = ["Gateway"]

logger = logging.getLogger("wscli.gateway")

CLOSE_DEADLINE = 1.0
"""Seconds for the clients' tasks to end at shutdown."""
_PREFIX = "/ws/"
_SPARE = "wscli"
"""The subprotocol that a page offers beside its token, so that there is one to answer with."""
_TOKEN = "wscli.token."  # noqa: S105 - the prefix of a subprotocol
_PLAIN = "text/plain; charset=utf-8"
_NOT_ALLOWED = b"only GET and HEAD are answered here\nhint: `wscli send` and a WebSocket at /ws/CHANNEL send messages\n"


class Gateway:
    """The HTTP and WebSocket face of a manager, as its present plan wants it; without ``gateway:`` there is none."""

    def __init__(self, manager: Manager, *, schedule: Schedule = call_later) -> None:
        self._manager = manager
        self._schedule = schedule
        self._plan: GatewayPlan | None = None
        self._listeners: dict[Listen, Listener] = {}
        self._clients: dict[asyncio.Task[None], bool] = {}
        """The clients' tasks, and whether each is only told that there are too many."""
        self._refused = 0
        manager.extra_stats["gateway"] = self.stats

    def apply(self) -> None:
        """Listen where the manager's plan says, and nowhere else; clients that are connected stay."""
        plan = self._manager.plan.gateway
        if plan is not None and plan.token is None and (self._plan is None or self._plan.token is not None):
            text = "the gateway asks for no token: every program of this machine may read and send (auth: none)"
            logger.warning(text, extra={"event": "gateway-open"})
        self._plan = plan
        wanted = plan.listen if plan is not None else ()
        leaving = [self._listeners.pop(listen) for listen in list(self._listeners) if listen not in wanted]
        coming = {
            listen: Listener(listen, self._manager.problems, self._schedule, self._accept)
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
        """Accept no more, tell every client that the manager goes, and wait ``deadline`` seconds at most."""
        for listener in self._listeners.values():
            await listener.close()
        self._listeners.clear()
        for task in self._clients:
            task.cancel()
        if self._clients:
            await asyncio.wait(list(self._clients), timeout=deadline)

    def stats(self) -> GatewayStats | None:
        """The gateway's part of ``stats --json``; None where there is none."""
        if self._plan is None:
            return None
        return {
            "listen": [str(one.bound) for one in self._listeners.values() if one.bound is not None],
            "clients": len(self._clients),
            "refused": self._refused,
        }

    def _accept(self, sock: socket.socket, listen: Listen) -> None:
        plan = self._plan
        if plan is None:
            sock.close()
            return
        full = len(self._clients) - sum(self._clients.values()) >= plan.max_clients
        if full:  # answered and gone, within the handshake's deadlines
            self._refused += 1
            if len(self._clients) >= 2 * plan.max_clients:
                sock.close()
                return
        task = asyncio.get_running_loop().create_task(self._serve(plan, sock, listen, full=full), name="gateway-client")
        self._clients[task] = full
        task.add_done_callback(self._clients.pop)

    async def _serve(self, plan: GatewayPlan, sock: socket.socket, listen: Listen, *, full: bool) -> None:
        try:
            with contextlib.suppress(Vanished):
                handshake = Handshake(sock, max_header=plan.max_header, max_message=plan.max_message)
                request = await handshake.request()
                if full:
                    text = b"the gateway has as many clients as it takes\nhint: raise gateway.max_clients\n"
                    await handshake.answer(request, response(503, text, _PLAIN))
                else:
                    await self._answer(plan, handshake, request, sock, listen)
        except Exception:  # a bug that one client met is that client's alone
            logger.exception("a client of the gateway met a bug")
        finally:
            sock.close()

    async def _answer(
        self, plan: GatewayPlan, handshake: Handshake, request: Request, sock: socket.socket, listen: Listen
    ) -> None:
        path = request.path.partition("?")[0]
        upgrade = _wants_upgrade(request)
        page = None if upgrade else PAGES.get(path)
        refusal = admit(plan, listen, request, needs_token=page is None or page.needs_token)
        if refusal is not None:
            self._refused += 1
            answer = response(refusal.status, f"{refusal.text}\n".encode(), _PLAIN, refusal.headers)
            await handshake.answer(request, answer)
        elif page is not None and request.method in ("GET", "HEAD"):
            await handshake.answer(request, _rendered(page, self._manager, request))
        elif page is not None:
            await handshake.answer(request, response(405, _NOT_ALLOWED, _PLAIN, Headers({"Allow": "GET, HEAD"})))
        elif upgrade and path == "/status":
            await self._serve_status(plan, handshake, request, sock)
        elif path.startswith(_PREFIX):
            await self._serve_channel(plan, handshake, request, sock)
        else:
            text = f"there is nothing at this path\nhint: channels are at {_PREFIX}CHANNEL\n"
            await handshake.answer(request, response(404, text.encode(), _PLAIN))

    async def _serve_status(
        self, plan: GatewayPlan, handshake: Handshake, request: Request, sock: socket.socket
    ) -> None:
        _, spare = _offers(request)
        if await handshake.accept(request, spare):
            await StatusSession(self._manager, sock, Wire(handshake.protocol, plan.max_message)).run()

    async def _serve_channel(
        self, plan: GatewayPlan, handshake: Handshake, request: Request, sock: socket.socket
    ) -> None:
        offered, spare = _offers(request)
        session = await open_session(
            self._manager,
            handshake,
            request,
            sock,
            lambda: self._find(request),
            query=query(request.path),
            offered=offered,
            spare=spare,
            max_message=plan.max_message,
        )
        if session is not None:
            await session.run()

    def _find(self, request: Request) -> Channel:
        name = channel_name(request.path)
        if name is None:
            raise UnknownChannel("this path names no channel", "`wscli status` lists the channels")
        return self._manager.channel(name)


async def _replace(leaving: list[Listener], coming: list[Listener]) -> None:
    """Close before opening: a new place may overlap an old one, such as every address with one of them."""
    for listener in leaving:
        await listener.close()
    for listener in coming:
        listener.open()


def _rendered(page: Page, manager: Manager, request: Request) -> Response:
    answer = page.respond(manager, ", ".join(request.headers.get_all("Accept")))
    headers = Headers(answer.headers)
    for origin in request.headers.get_all("Origin"):  # the one that the walls let in
        headers["Access-Control-Allow-Origin"] = origin
        headers["Vary"] = "Origin"
    return response(answer.status, answer.body, answer.content_type, headers)


def _wants_upgrade(request: Request) -> bool:
    """Whether it asks for a WebSocket; whether it does so properly is seen later."""
    return any("websocket" in value.lower() for value in request.headers.get_all("Upgrade"))


def _offers(request: Request) -> tuple[list[str], str | None]:
    """Part what is offered to the upstream from what carries the token; the second is what may be answered with."""
    offered = subprotocols(request.headers)
    ours = [one for one in offered if one == _SPARE or one.startswith(_TOKEN)]
    spare = _SPARE if _SPARE in ours else next(iter(ours), None)
    return [one for one in offered if one not in ours], spare
