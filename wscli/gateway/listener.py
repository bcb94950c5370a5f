"""One listening address of the gateway: bound, retried while it is in use, and closed with the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import replace

from wscli.config.models.gateway import Listen
from wscli.problems import Problems
from wscli.sockets import accept_clients, listen_at_address, listen_at_path
from wscli.timing import OneShot, Schedule
from wscli.values import format_duration

__all__ = ["RETRY", "GatewayListener"]

logger = logging.getLogger("wscli.gateway")

RETRY = 5.0
"""Seconds between two tries to bind."""


class GatewayListener:
    """Accepts clients at one address, or states a problem.

    Args:
        listen: the address; port 0 is any free port.
        problems: takes the problem.
        schedule: timers.
        on_client: takes each client's socket, non-blocking, and the address that it connected to.
    """

    def __init__(
        self, listen: Listen, problems: Problems, schedule: Schedule, on_client: Callable[[socket.socket, Listen], None]
    ) -> None:
        self.listen = listen
        self.bound: Listen | None = None
        """The bound address, with the real port."""
        self._problems = problems
        self._on_client = on_client
        self._sock: socket.socket | None = None
        self._file: os.stat_result | None = None
        """The status of the file of a Unix socket, which identifies the file."""
        self._retry = OneShot(schedule)
        self._accepting: asyncio.Task[None] | None = None
        self._closed = False
        self._key = f"gateway {listen}"

    def open(self) -> None:
        """Listen, or try again later; does nothing once closed."""
        if self._closed:
            return
        try:
            path, host, port = self.listen.path, self.listen.host, self.listen.port
            sock = listen_at_address(host, port) if path is None else listen_at_path(path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self._problems.state(
                self._key, f"cannot listen there: {reason}; it is tried again every {format_duration(RETRY)}"
            )
            self._retry.start(RETRY, self.open)
            return
        self._problems.mended(self._key)
        self._sock = sock
        if self.listen.path is not None:
            with contextlib.suppress(FileNotFoundError):
                self._file = self.listen.path.lstat()
        self.bound = self.listen if self.listen.path else replace(self.listen, port=sock.getsockname()[1])
        logger.info("the gateway listens at %s", self.bound, extra={"event": "listening"})
        accepting = accept_clients(sock, self._accepted, self._not_accepted)
        self._accepting = asyncio.get_running_loop().create_task(accepting, name="gateway-accept")

    async def close(self) -> None:
        """Stop accepting."""
        self._closed = True
        self._problems.mended(self._key)
        self._retry.cancel()
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        if self._sock is not None:
            self._remove_file()
            self._sock.close()
        self.bound = None

    def _remove_file(self) -> None:
        """Remove the file of a Unix socket, unless another process has replaced it; an open socket keeps its inode."""
        if self.listen.path is not None and self._file is not None:
            with contextlib.suppress(OSError):
                if os.path.samestat(self.listen.path.lstat(), self._file):
                    self.listen.path.unlink()

    def _accepted(self, sock: socket.socket) -> None:
        _notice_dead_peers(sock)
        self._on_client(sock, self.bound or self.listen)

    def _not_accepted(self, reason: str | None) -> None:
        self._problems.report(self._key, reason and f"cannot accept a client: {reason}")


_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A client whose machine is gone is detected after a minute; with unacknowledged data, after some 15 minutes (tcp(7)).
TCP_USER_TIMEOUT would shorten those, but also end clients that only read nothing."""


def _notice_dead_peers(sock: socket.socket) -> None:
    if sock.family == socket.AF_UNIX:
        return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
