"""A relay in front of a server, which can hold back what the server says after an upgrade."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

__all__ = ["Gate"]


class Gate:
    """Relays to a port of this machine; ``port`` is its own."""

    def __init__(self, server: int) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open = threading.Event()
        self._open.set()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for sock in [*self._sockets, self._listener]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
        for sock in [*self._sockets, self._listener]:
            sock.close()

    def hold(self) -> None:
        """Hold back all that the server sends over upgraded connections, but for the answer to the upgrade."""
        self._open.clear()

    def release(self) -> None:
        """Pass on what was held back, and all that follows."""
        self._open.set()

    def _start(self, run: object, *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(client)
            try:
                server = socket.create_connection(("127.0.0.1", self._server), timeout=30)
            except OSError:
                client.shutdown(socket.SHUT_RDWR)
                continue
            server.settimeout(None)
            self._sockets.append(server)
            self._start(self._relay, client, server, False)
            self._start(self._relay, server, client, True)

    def _relay(self, source: socket.socket, target: socket.socket, held: bool) -> None:
        seen = b""
        upgraded = False
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                if held and not upgraded:
                    seen += data
                    head, end, rest = seen.partition(b"\r\n\r\n")
                    upgraded = bool(end) and head.startswith(b"HTTP/1.1 101")
                    if upgraded:
                        target.sendall(data[: len(data) - len(rest)])
                        data = data[len(data) - len(rest) :]
                if held and upgraded:
                    self._open.wait()
                target.sendall(data)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
