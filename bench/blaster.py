"""A WebSocket server that is not the bottleneck: frames made beforehand, written to the raw socket by the megabyte.

``python -m bench.blaster COUNT SIZE`` prints its port, then ``connected N`` at each connection. A line ``go`` on stdin
sends COUNT numbered messages of SIZE bytes to every connection, ``go close`` a close frame after them.
"""

from __future__ import annotations

import base64
import hashlib
import selectors
import socket
import struct
import sys
from typing import Any

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
_CLOSE = b"\x88\x02\x03\xe8"
_CHUNK = 1 << 20


def frames(count: int, size: int) -> bytes:
    """Make ``count`` unmasked text frames of ``size`` bytes each."""
    head = b"\x81" + (bytes([size]) if size < 126 else b"\x7e" + struct.pack("!H", size))
    filler = b'","data":"' + b"x" * (size - 30) + b'"}'
    return b"".join(head + (b'{"number":"%08d' % number + filler)[: size - 2] + b'"}' for number in range(count))


def answer(request: bytes) -> bytes:
    """Answer a request for an upgrade, without any extension."""
    lines = dict(line.split(b": ", 1) for line in request.split(b"\r\n")[1:] if b": " in line)
    key = next(value for name, value in lines.items() if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


class Connection:
    """One client: its upgrade, then what is left to send."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.request = b""
        self.open = False
        self.closing = False
        self.left: list[memoryview] = []

    def read(self) -> bool:
        """Read the request; later, read and forget. True when it has just opened."""
        data = self.sock.recv(1 << 16)
        if not data or (self.closing and not self.left):
            raise ConnectionError  # it has answered the close frame: a server drops TCP first (RFC 6455, 7.1.1)
        if self.open:
            return False
        self.request += data
        if b"\r\n\r\n" not in self.request:
            return False
        self.sock.sendall(answer(self.request))
        self.open = True
        return True

    def write(self) -> None:
        """Write what the kernel takes."""
        while self.left:
            sent = self.sock.send(self.left[0][:_CHUNK])
            self.left[0] = self.left[0][sent:]
            if not self.left[0]:
                self.left.pop(0)


class Blaster:
    """One thread, one selector."""

    def __init__(self, count: int, size: int) -> None:
        self._messages = memoryview(frames(count, size))
        self._selector = selectors.DefaultSelector()
        self._connections: set[Connection] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(sys.stdin, selectors.EVENT_READ, self._command)
        print(self._listener.getsockname()[1], flush=True)

    def run(self) -> None:
        """Serve until stdin ends."""
        while True:
            for key, events in self._selector.select():
                if key.data(key.fileobj, events) is False:
                    return

    def _accept(self, listener: Any, events: int) -> None:
        sock, _ = self._listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock)
        self._connections.add(connection)
        self._selector.register(sock, selectors.EVENT_READ, lambda _, events: self._turn(connection, events))

    def _command(self, stdin: Any, events: int) -> bool:
        words = sys.stdin.readline().split()
        for connection in self._connections if words else ():
            if connection.open:
                connection.closing = "close" in words
                connection.left = [self._messages] + ([memoryview(_CLOSE)] if connection.closing else [])
                self._watch(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        return bool(words)

    def _turn(self, connection: Connection, events: int) -> None:
        try:
            if events & selectors.EVENT_READ and connection.read():
                print(f"connected {sum(one.open for one in self._connections)}", flush=True)
            if events & selectors.EVENT_WRITE:
                connection.write()
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)
            return
        if events & selectors.EVENT_WRITE and not connection.left:
            self._watch(connection, selectors.EVENT_READ)

    def _watch(self, connection: Connection, events: int) -> None:
        key = self._selector.get_key(connection.sock)
        self._selector.modify(connection.sock, events, key.data)

    def _drop(self, connection: Connection) -> None:
        self._selector.unregister(connection.sock)
        self._connections.discard(connection)
        connection.sock.close()


if __name__ == "__main__":
    Blaster(int(sys.argv[1]), int(sys.argv[2])).run()
