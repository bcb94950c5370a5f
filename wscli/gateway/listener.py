"""One place where the gateway listens: bound, retried while it is taken, and closed with the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from wscli.config.models.gateway import Listen
from wscli.problems import Problems
from wscli.timing import Schedule, Timer
from wscli.values import format_duration

__all__ = ["RETRY", "Listener"]

logger = logging.getLogger("wscli.gateway")

RETRY = 5.0
"""Seconds between two tries to listen."""
_BACKLOG = 512
_ACCEPT_PAUSE = 0.05


class Listener:
    """Accepts clients, or states why it cannot.

    Args:
        listen: where; port 0 is any that is free.
        problems: where it is stated.
        schedule: timers.
        on_client: takes each client's socket, non-blocking, and the place it came to.

    """

    def __init__(
        self,
        listen: Listen,
        problems: Problems,
        schedule: Schedule,
        on_client: Callable[[socket.socket, Listen], None],
    ) -> None:
        self.listen = listen
        self.bound: Listen | None = None
        """Where it listens now, with the real port."""
        self._problems = problems
        self._schedule = schedule
        self._on_client = on_client
        self._sock: socket.socket | None = None
        self._retry: Timer | None = None
        self._accepting: asyncio.Task[None] | None = None
        self._closed = False
        self._key = f"gateway {listen}"

    def open(self) -> None:
        """Listen, or try again later; once it is closed, do nothing."""
        self._retry = None
        if self._closed:
            return
        try:
            sock = _bind(self.listen)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            self._problems.state(
                self._key, f"cannot listen there: {reason}; it is tried again every {format_duration(RETRY)}"
            )
            self._retry = self._schedule(RETRY, self.open)
            return
        self._problems.mended(self._key)
        self._sock = sock
        self.bound = self.listen if self.listen.path else replace(self.listen, port=sock.getsockname()[1])
        logger.info("the gateway listens at %s", self.bound, extra={"event": "listening"})
        self._accepting = asyncio.get_running_loop().create_task(self._accept(sock), name="gateway-accept")

    async def close(self) -> None:
        """Accept no more."""
        self._closed = True
        self._problems.mended(self._key)
        if self._retry is not None:
            self._retry.cancel()
        if self._accepting is not None:
            self._accepting.cancel()
            await asyncio.wait([self._accepting])
        if self._sock is not None:
            self._sock.close()
            if self.listen.path is not None:
                with contextlib.suppress(OSError):
                    self.listen.path.unlink()
        self.bound = None

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno != errno.ECONNABORTED:  # which is that client's own affair
                    reason = (error.strerror or str(error)).lower()
                    self._problems.state(self._key, f"cannot accept a client: {reason}")
                await asyncio.sleep(_ACCEPT_PAUSE)  # without descriptors it stays queued, and this would spin
                continue
            self._problems.mended(self._key)
            sock.setblocking(False)
            _notice_dead_peers(sock)
            self._on_client(sock, self.bound or self.listen)


def _bind(listen: Listen) -> socket.socket:
    if listen.path is not None:
        return _bind_path(listen.path)
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((listen.host, listen.port))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def _bind_path(path: Path) -> socket.socket:
    """Listen at a path, with mode 0600; a socket there is replaced only after it refused a dial."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)  # one whose queue is full would keep us waiting
        try:
            probe.connect(os.fspath(path))
        except FileNotFoundError:
            pass
        except BlockingIOError:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)) from None
        except ConnectionRefusedError:
            if not stat.S_ISSOCK(path.lstat().st_mode):  # files refuse a dial as well
                raise OSError(errno.EEXIST, "what is there is no socket") from None
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(os.fspath(path))
        sock.listen(_BACKLOG)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    sock.setblocking(False)
    return sock


_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""A client whose machine is gone is noticed after a minute, or with something on its way to it after the kernel's tries
to send that, some 15 minutes (tcp(7)); TCP_USER_TIMEOUT would shorten them, and end one that only stands still too."""


def _notice_dead_peers(sock: socket.socket) -> None:
    if sock.family == socket.AF_UNIX:
        return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
