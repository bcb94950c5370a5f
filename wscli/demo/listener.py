"""The listening socket: a server that can be gone for a while, and come back at the same port."""

from __future__ import annotations

import socket

from aiohttp import web

__all__ = ["HOST", "Listener"]

HOST = "127.0.0.1"


class Listener:
    """Listens on loopback for an application's runner."""

    def __init__(self, runner: web.AppRunner, port: int) -> None:
        self._runner = runner
        self._site: web.SockSite | None = None
        self._reserved: socket.socket | None = _bind(port)
        self.port: int = self._reserved.getsockname()[1]

    @property
    def listening(self) -> bool:
        """Whether dials are accepted."""
        return self._site is not None

    async def open(self) -> None:
        """Accept dials; nothing happens where it does already."""
        if self._site is None and self._reserved is not None:
            self._site = web.SockSite(self._runner, self._reserved, backlog=4096)
            self._reserved = None
            await self._site.start()

    async def shut(self) -> None:
        """Refuse dials. The port stays bound, else another program, or a dial to it from itself, could take it."""
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()
            self._reserved = _bind(self.port)

    async def close(self) -> None:
        """Give the port back."""
        if self._site is not None:
            site, self._site = self._site, None
            await site.stop()
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None


def _bind(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
