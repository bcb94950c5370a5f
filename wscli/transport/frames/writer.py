"""Writes frames, and waits until the kernel has taken a message.

The high-water mark of the write buffer is one byte, so that a sent message is one that the kernel has taken. Over TLS
asyncio encrypts into a buffer that it does not count; there a message is written in slices, so that at most 128 KiB are
not counted. Only messages wait: control frames, ``close`` and ``abort`` also work with a full write buffer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wscli.errors import NotSent, OutcomeUnknown
from wscli.transport.connection import WrittenAtOnce

__all__ = ["MOST_PONGS", "FrameWriter"]

MOST_PONGS = 16
"""Of the pings of one turn, so many are answered: the last ones (RFC 6455, section 5.5.3)."""
_SLICE = 1 << 16
_LOST_MEANWHILE = "the connection ended while the message was being sent"


class FrameWriter:
    """Writes messages in the order of the calls, and reports the outcome to each sender."""

    __slots__ = ("_blocked", "_held", "_late_pong", "_loop", "_over", "_sliced", "_transport", "_turn", "_waiters")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._sliced = transport.get_extra_info("ssl_object") is not None
        self._blocked = False
        """Whether the kernel's buffer is full."""
        self._over = False
        self._waiters: list[asyncio.Future[None]] = []
        self._turn: asyncio.Lock | None = None
        self._held: list[bytes] | None = None
        """Control frames that wait for the end of a sliced frame; None: no frame is being sliced."""
        self._late_pong: bytes | None = None
        transport.set_write_buffer_limits(high=1, low=0)

    def block(self) -> None:
        """The kernel's buffer is full."""
        self._blocked = True

    def unblock(self) -> None:
        """The kernel has taken all data."""
        self._blocked = False
        self._wake()
        self._write_late_pong()

    def end(self) -> None:
        """The connection is over."""
        self._over = True
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def control(self, frame: bytes) -> None:
        """Write a control frame before all waiting messages, but not inside a sliced frame."""
        if self._held is not None:
            self._held.append(frame)
        elif not self._over:
            self._transport.write(frame)

    def pongs(self, frames: list[bytes]) -> None:
        """Write the last ``MOST_PONGS`` pongs; while the buffer is full, only the very last is kept."""
        self._late_pong = frames[-1] if self._blocked else b"".join(frames[-MOST_PONGS:])
        if not self._blocked:
            self._write_late_pong()

    def drop_pong(self) -> None:
        """Discard the pong that waits, because the connection is closing."""
        self._late_pong = None

    def _write_late_pong(self) -> None:
        if self._late_pong is not None and self._held is None and not self._over:
            pong, self._late_pong = self._late_pong, None
            self._transport.write(pong)

    async def message(self, make_frame: Callable[[], bytes], is_open: Callable[[], bool]) -> None:
        """Write one message, after those before it.

        Raises:
            NotSent: the connection was closed before any byte was written.
            OutcomeUnknown: the connection ended before the kernel had taken every byte.
        """
        if self._turn is None:
            self._turn = asyncio.Lock()
        async with self._turn:
            while self._blocked and is_open():
                await self._writable()
            if not is_open():
                raise NotSent("the connection is closed")
            taken = await self._write(make_frame())
        if taken and self._blocked:
            taken = await self._writable()
        if not taken:
            raise OutcomeUnknown(_LOST_MEANWHILE)

    def try_message(self, make_frame: Callable[[], bytes], is_open: Callable[[], bool]) -> WrittenAtOnce:
        """Write one message at once, if none waits.

        Raises:
            NotSent: the connection was closed.
        """
        if not is_open():
            raise NotSent("the connection is closed")
        if self._blocked or (self._turn is not None and self._turn.locked()):
            return False
        self._transport.write(make_frame())
        return self._flush if self._blocked or self._transport.is_closing() else True

    async def _flush(self) -> None:
        if not self._blocked or not await self._writable():
            raise OutcomeUnknown(_LOST_MEANWHILE)

    async def _write(self, frame: bytes) -> bool:
        """Write a frame; False: the connection ended meanwhile."""
        if not self._sliced or len(frame) <= _SLICE:
            self._transport.write(frame)
            return not self._transport.is_closing()
        self._held, at = [], 0
        try:
            while at < len(frame) and not self._transport.is_closing():
                self._transport.write(frame[at : at + _SLICE])
                at += _SLICE
                if self._blocked and not await self._writable():
                    return False
            return not self._transport.is_closing()
        finally:
            # A cancelled sender must not leave half a frame: the rest is written without waiting.
            if not self._transport.is_closing():
                self._transport.write(b"".join([frame[at:], *self._held]))
            self._held = None
            self._write_late_pong()

    async def _writable(self) -> bool:
        """Wait until the kernel has taken all data; False: the connection ended."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)
        return not self._over
