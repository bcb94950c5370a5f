"""The write side of a link: who waits for the kernel, and what may be written meanwhile.

The write buffer's high-water mark is one byte, so that a message counts as handed over when the kernel has taken it.
Over TLS asyncio encrypts all that it is given into a buffer that it does not show; there a message is given in slices,
which leaves at most 128 KiB of it unseen. Nothing but messages waits: control frames, ``close`` and ``abort`` work with
a full write buffer and a server that reads nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wscli.errors import NotSent, OutcomeUnknown

__all__ = ["FrameWriter"]

_SLICE = 1 << 16


class FrameWriter:
    """Writes frames whole, messages in the order of the calls, and tells each sender what became of its message."""

    __slots__ = ("_blocked", "_held", "_late_pong", "_loop", "_over", "_sliced", "_transport", "_turn", "_waiters")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._sliced = transport.get_extra_info("ssl_object") is not None
        self._blocked = False
        """The kernel takes no more for now."""
        self._over = False
        self._waiters: list[asyncio.Future[None]] = []
        self._turn: asyncio.Lock | None = None
        self._held: list[bytes] | None = None
        """Control frames that wait for the end of a frame that is being written in slices; None: there is none."""
        self._late_pong: bytes | None = None
        transport.set_write_buffer_limits(high=1, low=0)

    def block(self) -> None:
        """The kernel takes no more."""
        self._blocked = True

    def unblock(self) -> None:
        """The kernel took all."""
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
        """Write a control frame now, whatever waits before it, or right behind the frame that is being written."""
        if self._held is not None:
            self._held.append(frame)
        elif not self._over:
            self._transport.write(frame)

    def pong(self, frame: bytes) -> None:
        """Write a pong; while the kernel takes no more only the last is kept (RFC 6455, section 5.5.3)."""
        self._late_pong = frame
        if not self._blocked:
            self._write_late_pong()

    def drop_pong(self) -> None:
        """Answer no more pings: the connection is closing."""
        self._late_pong = None

    def _write_late_pong(self) -> None:
        if self._late_pong is not None and self._held is None and not self._over:
            pong, self._late_pong = self._late_pong, None
            self._transport.write(pong)

    async def message(self, make_frame: Callable[[], bytes], is_open: Callable[[], bool]) -> None:
        """Write one frame when its turn has come.

        Raises:
            NotSent: the connection was closed before anything of it was written.
            OutcomeUnknown: the connection ended before the kernel had taken all of it.

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
            raise OutcomeUnknown("the connection ended while the message was being sent")

    async def _write(self, frame: bytes) -> bool:
        """Write a frame; False: the connection ended in the middle of it."""
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
            # A sender that gives up must not leave half a frame behind: the rest goes without waiting.
            if not self._transport.is_closing():
                self._transport.write(b"".join([frame[at:], *self._held]))
            self._held = None
            self._write_late_pong()

    async def _writable(self) -> bool:
        """Wait until the kernel took all that was written, or until the end: False."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)
        return not self._over
