"""The server of the control socket: accepts clients of the same user, reads their requests and runs the handlers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from wscli.control.protocol import SPOKEN_BY_ALL, ProtocolError, check_version, encode_line, failure, greeting, success
from wscli.daemon.outbox import Outbox
from wscli.daemon.registry.manager import Manager
from wscli.daemon.socket.peer import Peer, PeerGone, peer_uid
from wscli.daemon.socket.validation import read_request
from wscli.errors import TimedOut, WscliError
from wscli.gateway.server import Gateway
from wscli.sockets import DescriptorReserve, accept_clients

__all__ = ["CLIENT_LIMIT", "REQUEST_DEADLINE", "App", "Handler", "Server"]

CLIENT_LIMIT = 256
REQUEST_DEADLINE = 10.0
"""Seconds for a client to send its request."""
CLOSE_DEADLINE = 1.0
"""Seconds for the clients' tasks to end at shutdown."""
RESERVE = 16
"""Descriptors kept for clients, so that `status` and `down` reach a manager that has used up all others; at most a
quarter of the limit of open files."""

log = logging.getLogger(__name__)


class App(NamedTuple):
    """What a handler is given besides the request."""

    manager: Manager
    outbox: Outbox
    gateway: Gateway
    leaving: list[int]
    """Descriptors of the connections of ``down``: never closed, so that these clients see the process end."""


Handler = Callable[[App, Any, Peer], Awaitable[Mapping[str, Any] | None]]
"""One verb: takes its validated request and gives the result, or None where it answered by itself.

A ``WscliError`` becomes the error of the answer.
"""


class Server:
    """Serves a socket until closed, with a task for each client."""

    def __init__(
        self,
        app: App,
        handlers: Mapping[str, Handler],
        *,
        client_limit: int = CLIENT_LIMIT,
        request_deadline: float = REQUEST_DEADLINE,
    ) -> None:
        self._app = app
        self._listener: socket.socket | None = None
        self._handlers = handlers
        self._client_limit = client_limit
        self._request_deadline = request_deadline
        self.clients: set[asyncio.Task[None]] = set()
        """The tasks of the connected clients."""
        self._accepting: asyncio.Task[None] | None = None
        self._reserve = DescriptorReserve(min(RESERVE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4))

    def listen(self, listener: socket.socket) -> None:
        """Accept at a bound, listening, non-blocking socket, and close it in the end; the one before is closed now."""
        before, self._listener = self._listener, listener
        if self._accepting is not None and before is not None:
            self._accepting.add_done_callback(lambda _: before.close())  # the loop does not watch it any more then
            self._accepting.cancel()
        accepting = accept_clients(listener, self._accepted, self._not_accepted, self._reserve)
        self._accepting = asyncio.create_task(accepting, name="control-accept")

    async def close(self, deadline: float = CLOSE_DEADLINE) -> None:
        """Stop accepting, end every client's task, and wait ``deadline`` seconds at most."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        if self._listener is not None:
            self._listener.close()
        for task in self.clients:
            task.cancel()
        if self.clients:
            await asyncio.wait(list(self.clients), timeout=deadline)
        self._reserve.close()

    def _accepted(self, sock: socket.socket) -> None:
        if refusal := self._refusal(sock):
            with sock, contextlib.suppress(OSError):  # a client that does not read misses the reason
                sock.send(encode_line({**greeting(), **failure(refusal)}))
            return
        task = asyncio.create_task(self._serve(sock), name="control-client")
        self.clients.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self.clients.discard(task)
        self._reserve.refill()

    def _not_accepted(self, reason: str | None) -> None:
        text = reason and f"cannot accept a client: {reason}"
        self._app.manager.problems.report("control socket", text)

    def _refusal(self, sock: socket.socket) -> WscliError | None:
        try:
            uid = peer_uid(sock)
        except OSError:
            return WscliError("cannot tell the client's user")
        if uid not in (os.geteuid(), 0):
            return WscliError(f"this manager belongs to user {os.geteuid()}, and you are user {uid}")
        if len(self.clients) >= self._client_limit:
            return WscliError(
                f"the manager already has {self._client_limit} clients, which is its limit",
                "end some of the commands that are connected to it",
            )
        return None

    async def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(PeerGone):
            await self._answer(Peer(sock))

    async def _answer(self, peer: Peer) -> None:
        try:
            handler, request = await self._request(peer)
            result = await handler(self._app, request, peer)
        except WscliError as error:
            await peer.send_line(failure(error))
        except PeerGone:
            raise
        except Exception as error:  # a bug of a handler ends this client only
            log.exception("a request failed")
            text = f"the manager failed at this: {type(error).__name__}"
            await peer.send_line(failure(WscliError(text, "see `wscli logs`; this is a bug of wscli")))
        else:
            if result is not None:
                await peer.send_line(success(result))

    async def _request(self, peer: Peer) -> tuple[Handler, Any]:
        try:
            async with asyncio.timeout(self._request_deadline):
                request = await peer.read_line()
        except TimeoutError:
            raise TimedOut(f"no request within {self._request_deadline:g} seconds") from None
        verb = request.get("verb")
        if not isinstance(verb, str) or verb not in SPOKEN_BY_ALL:
            check_version(request, "client")
        if not isinstance(verb, str) or verb not in self._handlers:
            raise ProtocolError(
                f"no such verb {str(verb)[:40]!r}", f"the verbs are {', '.join(sorted(self._handlers))}"
            )
        handler = self._handlers[verb]
        return handler, read_request(verb, request.get("args", {}), handler)
