"""A server of bare sockets that misbehaves as it is told: each connection is a thread that runs the script."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Self

from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

__all__ = ["Conn", "RawServer", "welcomes"]


class Conn:
    """One accepted connection."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self.request = b""
        self._rest = b""

    def read_request(self) -> bytes:
        """Read the upgrade request, up to its empty line."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(65536)
            if not more:
                raise ConnectionError("the client hung up")
            data += more
        self.request, _, self._rest = data.partition(b"\r\n\r\n")
        return self.request

    def upgrade(self) -> None:
        """Answer the upgrade as a server should."""
        head = self.read_request().decode("latin-1")
        lines = dict(line.split(": ", 1) for line in head.split("\r\n")[1:])
        key = next(text for name, text in lines.items() if name.lower() == "sec-websocket-key")
        self.sock.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode()
        )

    def frame(self, payload: bytes, opcode: int = 1) -> None:
        """Send one unmasked frame."""
        self.sock.sendall(Frame(Opcode(opcode), payload).serialize(mask=False))

    def close(self, code: int, reason: str = "") -> None:
        """Send a close frame, and wait for the client to go."""
        self.frame(struct.pack("!H", code) + reason.encode(), 8)
        self.until_closed()

    def until_closed(self) -> None:
        """Read, and answer nothing, until the client hangs up."""
        with contextlib.suppress(OSError):
            while self.sock.recv(65536):
                pass


def welcomes(conn: Conn) -> None:
    """Upgrade, and say nothing until the client hangs up: a script."""
    conn.upgrade()
    conn.until_closed()


class RawServer:
    """Listens on a free port of loopback; ``script`` is run for each connection, and may raise ``OSError``.

    ``dials`` holds when each connection was accepted; ``stopping`` is set when the server is left.
    """

    def __init__(self, script: Callable[[Conn], None], *, receive_buffer: int | None = None) -> None:
        self._script = script
        self._listener = socket.socket()
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self.port: int = self._listener.getsockname()[1]
        self.dials: list[float] = []
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """``ws://127.0.0.1:PORT``."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def open(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        with self._changed:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        self._listener.close()

    def until(self, predicate: Callable[[], bool], timeout: float = 60.0) -> None:
        """Wait until something of the server holds; it is asked at each connection's coming and going."""
        with self._changed:
            assert self._changed.wait_for(predicate, timeout), f"not within {timeout} s; {len(self.dials)} dials"

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._changed:
                self.dials.append(time.monotonic())
                self._open.add(sock)
                self._changed.notify_all()
            self._spawn(self._serve, sock, len(self.dials))

    def _serve(self, sock: socket.socket, number: int) -> None:
        try:
            with contextlib.suppress(OSError):
                self._script(Conn(sock, number))
        finally:
            with self._changed:
                self._open.discard(sock)
                sock.close()
                self._changed.notify_all()
