"""The manager's end of one client's connection: a raw non-blocking socket, read by lines or bytes.

It is raw because a stream writes to the socket itself: asyncio's transports would copy unsent data for each reader.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from collections.abc import Coroutine, Mapping
from typing import Any, NoReturn, TypeVar

from wscli.control.protocol import LINE_LIMIT, ProtocolError, decode_line, encode_line, greeting
from wscli.tasks import unless

__all__ = ["Peer", "PeerGone", "peer_uid"]

T = TypeVar("T")

_CHUNK = 1 << 16
_UNREAD = 64 << 10
"""Bytes after a request beyond which its client counts as gone."""
ANSWER_DEADLINE = 30.0
"""Seconds for a client to read an answer."""


class PeerGone(Exception):
    """The client hung up, or does not read."""


def peer_uid(sock: socket.socket) -> int:
    """Give the user id of the process at the other end of a Unix socket.

    SO_PEERCRED on Linux (unix(7)), LOCAL_PEERCRED on macOS (its ``struct xucred``).
    """
    if sys.platform == "darwin":
        credentials = sock.getsockopt(0, 1, 76)  # SOL_LOCAL, LOCAL_PEERCRED
        return int(struct.unpack_from("=Ii", credentials)[1])
    credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


class Peer:
    """One client. A stream may take over ``sock`` while no method of this class is being awaited."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._buffer = bytearray()
        self._greeting: Mapping[str, Any] = greeting()
        """Keys of the first line that is sent."""
        self._ended = False

    async def read_line(self, limit: int = LINE_LIMIT) -> dict[str, Any]:
        """Read one JSON object.

        Args:
            limit: bytes, the newline included.

        Raises:
            PeerGone: the client hung up before the end of the line.
            ProtocolError: the line is too long, or not a JSON object.
        """
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched >= limit:
                break
            if not await self._fill():
                raise PeerGone
        if not 0 <= end < limit:
            raise ProtocolError(f"the request line is over {limit} bytes", "payloads follow the line as raw bytes")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return decode_line(line)

    async def read_exactly(self, count: int) -> bytes:
        """Read raw bytes.

        Raises:
            PeerGone: the client hung up earlier.
        """
        while len(self._buffer) < count:
            if not await self._fill():
                raise PeerGone
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def at_end(self) -> bool:
        """Wait for more data or the end of it, and say whether it is the end."""
        return not self._buffer and not await self._fill()

    async def send_line(self, message: Mapping[str, Any]) -> None:
        """Send one JSON object.

        Raises:
            PeerGone: the client hung up, or does not read.
        """
        line = encode_line({**self._greeting, **message})
        self._greeting = {}
        try:
            async with asyncio.timeout(ANSWER_DEADLINE):
                await asyncio.get_running_loop().sock_sendall(self.sock, line)
        except (OSError, TimeoutError):
            raise PeerGone from None

    async def _closed(self) -> NoReturn:
        """Raise when the client has hung up, or sends too much unread data."""
        while len(self._buffer) < _UNREAD and await self._fill():
            pass
        raise PeerGone

    async def while_connected(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work, and cancel it when the client hangs up.

        Raises:
            PeerGone: the client hung up.
        """
        return await unless(work, self._closed())

    async def _fill(self) -> bool:
        """Read into the buffer; False at the end. It can be cancelled without loss."""
        while not self._ended:
            try:
                data = self.sock.recv(_CHUNK)
            except (BlockingIOError, InterruptedError):
                await self._readable()
                continue
            except OSError:
                data = b""
            self._ended = not data
            self._buffer += data
            return bool(data)
        return False

    async def _readable(self) -> None:
        loop, ready = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.sock.fileno(), ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self.sock.fileno())
