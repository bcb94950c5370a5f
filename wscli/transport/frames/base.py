"""What both adapters share: a link's life from its first batch to its end, its write side and its pings.

An adapter supplies the frames: it parses what arrives into an ``Assembler``, and serialises what leaves.
"""

from __future__ import annotations

import asyncio
import itertools

from wscli.core.events import Failure
from wscli.errors import NotSent, OutcomeUnknown
from wscli.transport.frames.batch import Assembler, portions
from wscli.transport.frames.close_codes import (
    Violation,
    cut_reason,
    dropped,
    failed,
    lost,
    peer_closed,
    we_closed,
)
from wscli.transport.frames.writer import FrameWriter
from wscli.transport.link import Listener
from wscli.values import format_duration

__all__ = ["BINARY", "CLOSE_WAIT", "PING", "PONG", "TEXT", "BaseLink"]

TEXT, BINARY, PING, PONG = 0x1, 0x2, 0x9, 0xA

CLOSE_WAIT = 1.0
"""Seconds that the server has to close the TCP connection after both close frames; then we do."""

_ping_ids = itertools.count(1)


class BaseLink:
    """A link without its frames; see ``link.Link`` for what it promises."""

    __slots__ = (
        "_assembler",
        "_begun",
        "_cause",
        "_deaf",
        "_end",
        "_gone",
        "_listener",
        "_loop",
        "_over",
        "_paused",
        "_pings",
        "_sent_close",
        "_timer",
        "_transport",
        "_writing",
        "subprotocol",
    )

    adapter: str

    def __init__(self, transport: asyncio.Transport, listener: Listener, assembler: Assembler) -> None:
        self.subprotocol: str | None = None
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._listener = listener
        self._assembler = assembler
        self._begun = False
        """Whether ``open_link`` has returned; nothing is called back before."""
        self._paused = False
        self._deaf = False
        """Nothing more is heard: a close frame came, or the connection was failed."""
        self._sent_close: int | None = None
        self._cause: Failure | None = None
        self._end: tuple[Exception | None] | None = None
        """The TCP connection's end, when it came before the beginning."""
        self._over = False
        self._writing = FrameWriter(transport)
        self._gone: list[asyncio.Future[None]] = []
        self._pings: dict[bytes, asyncio.Future[float]] = {}
        self._timer: asyncio.TimerHandle | None = None
        transport.pause_reading()

    # What an adapter supplies.

    def _frame(self, opcode: int, payload: bytes) -> bytes:
        """Serialise one message or control frame."""
        raise NotImplementedError

    def _close_frame(self, code: int, reason: str) -> bytes:
        """Serialise a close frame; from then on nothing else is serialised."""
        raise NotImplementedError

    def _read_on(self) -> None:
        """Work off what was kept while reading was paused, and read from the socket again."""
        if not self._paused and not self._over:
            self._transport.resume_reading()

    # From the first batch to the end.

    def begin(self) -> None:
        """Start calling back: in the next turn of the loop, when ``open_link`` has returned."""
        self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._begun = True
        self._hand_over()
        if self._end is not None:
            self._finish(*self._end)
        else:
            self._read_on()

    def _hand_over(self) -> None:
        """Give the batch to the listener, and fail the connection when some of it was no UTF-8."""
        payloads, kinds, violation = self._assembler.take()
        for some, their_kinds in portions(payloads, kinds):
            try:
                self._listener.on_batch(some, their_kinds)
            except Exception as error:  # a bug of the listener's: stated by the loop as for any callback
                self._loop.call_exception_handler({"message": "a listener failed", "exception": error})
                violation = Violation(1011, "internal error")
                break
        if violation is not None:
            self._fail(violation)

    def _fail(self, violation: Violation) -> None:
        """Close for a violation: what follows is read and thrown away, so that our close frame arrives."""
        self._deaf = True
        if self._cause is None:
            self._cause = failed(violation)
        if self._sent_close is None and not self._transport.is_closing():
            self._say_close(violation.code, violation.text)
        self._wind_down(CLOSE_WAIT)

    def _say_close(self, code: int, reason: str) -> None:
        """Start the closing handshake."""
        self._sent_close = code
        self._writing.drop_pong()
        self._writing.control(self._close_frame(code, cut_reason(reason)))

    def _heard_close(self, code: int, reason: str) -> None:
        """A close frame came, and was answered where an answer was due."""
        self._deaf = True
        if self._cause is None:
            mine = self._sent_close
            self._cause = peer_closed(code, reason) if mine is None else we_closed(mine, (code, reason))
        self._wind_down(CLOSE_WAIT)

    def _wind_down(self, deadline: float) -> None:
        """Wait for the TCP connection's end, reading on whatever the listener thinks, and not for longer."""
        if self._over:
            return
        self._end_pings()  # one that is still out must not have its silence taken for the reason
        if self._paused:
            self._paused = False
            self._loop.call_soon(self._read_on)
        when = self._loop.time() + deadline
        if self._timer is None or when < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(when, self._transport.abort)

    def eof_received(self) -> None:
        """The server sent all it will: nothing is left to wait for, not even a full write buffer."""
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The TCP connection is gone."""
        if self._begun:
            self._finish(exc)
        else:
            self._end = (exc,)

    def _finish(self, error: Exception | None) -> None:
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        self._end_pings()
        failure = self._cause
        if failure is None:
            failure = lost(error) if self._sent_close is None else we_closed(self._sent_close, None)
        try:
            self._listener.on_end(failure)
        finally:
            self._writing.end()
            for waiter in self._gone:
                if not waiter.done():
                    waiter.set_result(None)

    def _end_pings(self) -> None:
        for ping in self._pings.values():
            if not ping.done():
                ping.set_exception(NotSent("the connection ended before the pong came"))

    # Writing.

    @property
    def _open(self) -> bool:
        return not (self._over or self._deaf or self._sent_close is not None or self._transport.is_closing())

    def _require_open(self) -> None:
        if not self._open:
            raise NotSent("the connection is closed")

    def pause_writing(self) -> None:
        """Asyncio says that the kernel takes no more."""
        self._writing.block()

    def resume_writing(self) -> None:
        """Asyncio says that the kernel took all."""
        self._writing.unblock()

    async def send(self, payload: bytes, *, binary: bool, timeout: float | None = None) -> None:
        """See ``Link.send``; messages leave in the order of the calls."""
        self._require_open()
        opcode, begun = BINARY if binary else TEXT, False

        def frame() -> bytes:
            nonlocal begun
            begun = True
            return self._frame(opcode, payload)

        try:
            async with asyncio.timeout(timeout):
                await self._writing.message(frame, lambda: self._open)
        except TimeoutError:
            within = format_duration(timeout or 0.0)
            if begun:
                raise OutcomeUnknown(f"the server had not read the message after {within}") from None
            raise NotSent(f"the server had not read what was sent before after {within}") from None

    async def ping(self) -> float:
        """See ``Link.ping``."""
        self._require_open()
        payload = next(_ping_ids).to_bytes(8, "big")
        began = self._loop.time()
        pong: asyncio.Future[float] = self._loop.create_future()
        self._pings[payload] = pong
        try:
            self._writing.control(self._frame(PING, payload))
            return await pong - began
        finally:
            self._pings.pop(payload, None)

    def _heard_ping(self, payload: bytes) -> None:
        if self._open:
            self._writing.pong(self._frame(PONG, payload))

    def _heard_pong(self, payload: bytes) -> None:
        """A pong answers its ping and all before it (RFC 6455, section 5.5.3)."""
        if payload not in self._pings:
            return
        now = self._loop.time()
        for earlier, ping in self._pings.items():
            if not ping.done():
                ping.set_result(now)
            if earlier == payload:
                return

    # Closing.

    async def close(self, code: int = 1000, reason: str = "", *, deadline: float = CLOSE_WAIT) -> None:
        """See ``Link.close``."""
        if self._over:
            return
        if self._open:
            self._say_close(code, reason)
        self._wind_down(deadline)
        gone: asyncio.Future[None] = self._loop.create_future()
        self._gone.append(gone)
        try:
            await gone
        finally:
            self._gone.remove(gone)

    def abort(self) -> None:
        """See ``Link.abort``."""
        if self._over:
            return
        if self._cause is None:
            self._cause = dropped()
        self._transport.abort()

    # Reading.

    def pause_reading(self) -> None:
        """See ``Link.pause_reading``; a connection that is closing reads on."""
        if self._paused or self._over or self._timer is not None:
            return
        self._paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """See ``Link.resume_reading``."""
        if self._paused:
            self._paused = False
            if self._begun:
                self._loop.call_soon(self._read_on)
