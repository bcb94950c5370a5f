"""The socket's other end: accepts clients of our own user, reads each one's request, and runs its handler."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Mapping
from typing import Any, Protocol

from wscli.control.protocol import SPOKEN_BY_ALL, ProtocolError, check_version, encode_line, failure, greeting, success
from wscli.control.validation import read_request
from wscli.daemon.registry.manager import Manager
from wscli.daemon.socket.peer import Peer, PeerGone, peer_uid
from wscli.errors import TimedOut, WscliError

__all__ = ["CLIENT_LIMIT", "REQUEST_DEADLINE", "Handler", "Server"]

CLIENT_LIMIT = 256
REQUEST_DEADLINE = 10.0
"""Seconds for a client to send its first line."""
CLOSE_DEADLINE = 1.0
"""Seconds for the clients' tasks to end at shutdown."""
_ACCEPT_PAUSE = 0.05

log = logging.getLogger(__name__)


class Handler(Protocol):
    """One verb: takes its validated request and returns the result, or None if it sent its answer itself."""

    async def __call__(self, manager: Manager, request: Any, peer: Peer, /) -> Mapping[str, Any] | None:
        """Carry it out; a `WscliError` becomes the answer's error."""


class Server:
    """Serves one listening socket until closed; every client is one task of its own.

    Args:
        manager: what the handlers work on.
        listener: bound and listening, non-blocking; it is closed with the server.
        handlers: the verbs.

    """

    def __init__(
        self,
        manager: Manager,
        listener: socket.socket,
        handlers: Mapping[str, Handler],
        *,
        client_limit: int = CLIENT_LIMIT,
        request_deadline: float = REQUEST_DEADLINE,
    ) -> None:
        self._manager = manager
        self._listener = listener
        self._handlers = handlers
        self._client_limit = client_limit
        self._request_deadline = request_deadline
        self._clients: set[asyncio.Task[None]] = set()
        self._accepting: asyncio.Task[None] | None = None

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    def start(self) -> None:
        """Begin to accept."""
        self._accepting = asyncio.create_task(self._accept(), name="control-accept")

    async def close(self, deadline: float = CLOSE_DEADLINE) -> None:
        """Accept no more, end every client's task, and wait ``deadline`` seconds at most for them."""
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        self._listener.close()
        for task in self._clients:
            task.cancel()
        if self._clients:
            await asyncio.wait(list(self._clients), timeout=deadline)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno != errno.ECONNABORTED:  # which is that client's own affair
                    log.warning("cannot accept a client: %s", (error.strerror or str(error)).lower())
                await asyncio.sleep(_ACCEPT_PAUSE)  # without descriptors it stays queued, and this would spin
                continue
            sock.setblocking(False)
            if refusal := self._refusal(sock):
                _refuse(sock, refusal)
                continue
            task = asyncio.create_task(self._serve(sock), name="control-client")
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)

    def _refusal(self, sock: socket.socket) -> WscliError | None:
        try:
            uid = peer_uid(sock)
        except OSError:
            return WscliError("the client's user cannot be told")
        if uid not in (os.geteuid(), 0):
            return WscliError(f"this manager is of user {os.geteuid()}, and you are user {uid}")
        if len(self._clients) >= self._client_limit:
            return WscliError(
                f"the manager already has {self._client_limit} clients, which is its limit",
                "end some of the commands that are connected to it",
            )
        return None

    async def _serve(self, sock: socket.socket) -> None:
        peer = Peer(sock)
        try:
            with contextlib.suppress(PeerGone):
                await self._answer(peer)
        finally:
            sock.close()

    async def _answer(self, peer: Peer) -> None:
        peer.greet_with(greeting())
        try:
            handler, request = await self._request(peer)
            result = await handler(self._manager, request, peer)
        except WscliError as error:
            await peer.send_line(failure(error))
        except PeerGone:
            raise
        except Exception as error:  # a bug of one handler is one client's error; the manager lives
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
            raise TimedOut(f"no request came within {self._request_deadline:g} seconds") from None
        verb = request.get("verb")
        if not isinstance(verb, str) or verb not in SPOKEN_BY_ALL:
            check_version(request, "client")
        if not isinstance(verb, str) or verb not in self._handlers:
            raise ProtocolError(f"no such verb {str(verb)[:40]!r}", f"known are {', '.join(sorted(self._handlers))}")
        return self._handlers[verb], read_request(verb, request.get("args", {}))


def _refuse(sock: socket.socket, error: WscliError) -> None:
    with sock, contextlib.suppress(OSError):  # who does not read its refusal only loses the reason
        sock.send(encode_line({**greeting(), **failure(error)}))
