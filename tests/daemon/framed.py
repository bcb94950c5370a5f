"""The far end of a reader's socket: takes frames, or none."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

from wscli.control.frames import DATA, END, FrameReader, read_end

__all__ = ["FarEnd", "socket_pair"]


def socket_pair(*, buffer: int | None = None) -> tuple[socket.socket, socket.socket]:
    """Give two connected, non-blocking sockets."""
    pair = socket.socketpair()
    for one in pair:
        one.setblocking(False)
        if buffer is not None:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    return pair


class FarEnd:
    """Reads whole frames, and sorts them by what they are."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.frames: list[tuple[int, int, bytes]] = []
        self.at_end = False
        self._reader = FrameReader()

    async def read(self, *, until: int | None = None, frames: int | None = None) -> None:
        """Read until a frame of a kind has come, there are so many frames, or the other end hung up."""
        async with asyncio.timeout(20):
            while not self.at_end and not self._enough(until, frames):
                count = await asyncio.get_running_loop().sock_recv_into(self.sock, self._reader.space())
                self.at_end = count == 0
                self._reader.received(count)
                self._take()

    def feed(self, data: bytes) -> None:
        """Take what was received from the socket past this object."""
        while data:
            space = self._reader.space()
            count = min(len(space), len(data))
            space[:count] = data[:count]
            data = data[count:]
            self._reader.received(count)
            self._take()

    def _take(self) -> None:
        while (frame := self._reader.next_frame()) is not None:
            self.frames.append((frame.kind, frame.seq, bytes(frame.body)))

    def _enough(self, until: int | None, frames: int | None) -> bool:
        if frames is not None:
            return len(self.frames) >= frames
        return until is not None and any(kind == until for kind, _, _ in self.frames)

    @property
    def torn(self) -> int:
        """Bytes of a frame that is not whole."""
        return self._reader.pending

    @property
    def data(self) -> bytes:
        return b"".join(body for kind, _, body in self.frames if kind == DATA)

    @property
    def end(self) -> Any:
        return next((read_end(memoryview(body)) for kind, _, body in self.frames if kind == END), None)

    def json(self, kind: int) -> list[dict[str, Any]]:
        return [json.loads(body) for one, _, body in self.frames if one == kind]
