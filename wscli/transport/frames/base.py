"""The base of both adapters: delivery, sending, pings and the closing handshake.

An adapter parses received frames into an ``Assembler`` and serialises frames to send. Received data is parsed in
slices, no more of it in one turn of the loop than ``turns`` allows; reading pauses until the rest is parsed.
"""

from __future__ import annotations

import asyncio

from websockets.frames import Frame, Opcode

from wscli.core.failures import Failure
from wscli.errors import NotSent, OutcomeUnknown
from wscli.transport.connection import ConnectionListener, RenderMessage, WrittenAtOnce
from wscli.transport.frames.bad_close import http_text, read_close
from wscli.transport.frames.batch import Assembler, portions
from wscli.transport.frames.close_codes import Violation, close_payload, dropped, failed, lost, peer_closed, we_closed
from wscli.transport.frames.pings import Pings
from wscli.transport.frames.turns import TURN_MESSAGES, TURN_SECONDS, turns_of
from wscli.transport.frames.writer import FrameWriter
from wscli.values import format_duration

__all__ = ["CLOSE_TIMEOUT", "BaseConnection"]

CLOSE_TIMEOUT = 1.0
"""Seconds after both close frames in which the server must close the TCP connection; then we do."""


class BaseConnection:
    """A connection without its frame parser; see ``connection.Connection`` for its interface."""

    __slots__ = (
        "_assembler", "_backlog", "_begun", "_cause", "_deaf", "_end", "_gone", "_listener", "_loop",
        "_over", "_paused", "_pings", "_sent_close", "_timer", "_transport", "_turns", "_writing",
        "subprotocol",
    )  # fmt: skip

    adapter: str
    _slice: int
    """Bytes that are parsed before the share of the turn is looked at again."""

    def __init__(self, transport: asyncio.Transport, listener: ConnectionListener, assembler: Assembler) -> None:
        self.subprotocol: str | None = None
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._listener = listener
        self._assembler = assembler
        self._backlog = memoryview(b"")
        """Received data that waits for its turn; reading is paused while there is any."""
        self._turns = turns_of(self._loop)
        self._begun = False
        """Whether ``open_connection`` has returned; the listener is not called before."""
        self._paused = False
        self._deaf = False
        """Received data is discarded: after a close frame, or a violation."""
        self._sent_close: int | None = None
        self._cause: Failure | None = None
        self._end: tuple[Exception | None] | None = None
        """The end of the TCP connection, where it came before ``_begin`` or before the backlog was parsed."""
        self._over = False
        self._writing = FrameWriter(transport)
        self._gone: list[asyncio.Future[None]] = []
        self._pings = Pings()
        self._timer: asyncio.TimerHandle | None = None
        transport.pause_reading()

    # Extended by an adapter.

    def _frame(self, opcode: Opcode, payload: bytes) -> bytes:
        """Serialise one message or control frame."""
        return Frame(opcode, payload).serialize(mask=True)

    def _parse(self, data: memoryview) -> bool:
        """Parse a slice; False: the rest must wait for another turn."""
        raise NotImplementedError

    def _received(self, data: memoryview) -> None:
        """Parse what was read: this connection's share of the turn, or one slice while others wait for theirs."""
        self._feed(data, 0.0 if len(data) <= self._slice or self._turns.crowded else self._loop.time() + TURN_SECONDS)
        if self._backlog:
            self._transport.pause_reading()
            self._read_on()

    def take_turn(self) -> None:
        """Parse one share of the backlog (``turns.TurnTaker``)."""
        if self._over or self._paused:
            return
        data, self._backlog = self._backlog, memoryview(b"")
        self._feed(data, self._loop.time() + TURN_SECONDS)
        self._read_on()

    def _feed(self, data: memoryview, until: float) -> None:
        """Parse slices until the share is used up, then deliver; the rest becomes the backlog."""
        at, more = 0, True
        while more and at < len(data) and not self._deaf:
            more = self._parse(data[at : at + self._slice])
            at += self._slice
            if not until or not more or len(self._assembler.payloads) >= TURN_MESSAGES or self._loop.time() >= until:
                break
        self._hand_over()
        if at < len(data) and not self._deaf:
            self._backlog = memoryview(bytes(data[at:])) if isinstance(data.obj, bytearray) else data[at:]

    def _read_on(self) -> None:
        """Wait for a turn to parse the backlog; without one, read from the socket again."""
        if self._paused or self._over:
            return
        if self._backlog:
            self._turns.wait(self)
        elif self._end is not None:
            self._finish(*self._end)
        else:
            self._transport.resume_reading()

    def begin(self) -> None:
        """Start calling the listener, in the next turn of the loop, when ``open_connection`` has returned."""
        self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._begun = True
        self._hand_over()
        self._read_on()

    def _hand_over(self) -> None:
        """Give the batch to the listener, and fail the connection for invalid UTF-8."""
        payloads, kinds, violation = self._assembler.take()
        for some, their_kinds in portions(payloads, kinds):
            try:
                self._listener.on_batch(some, their_kinds)
            except Exception as error:  # a bug of the listener's: reported as for any callback
                self._loop.call_exception_handler({"message": "a listener failed", "exception": error})
                violation = Violation(1011, "internal error")
                break
        if violation is not None:
            self._fail(violation)

    def _fail(self, violation: Violation) -> None:
        """Close for a violation; further data is read and discarded, so that our close frame arrives."""
        self._deaf = True
        if self._cause is None:
            self._cause = failed(violation)
        if self._sent_close is None and not self._transport.is_closing():
            self._say_close(violation.code, violation.text)
        self._wind_down(CLOSE_TIMEOUT)

    def _say_close(self, code: int, reason: str) -> None:
        self._sent_close = code
        self._writing.drop_pong()
        self._writing.control(self._frame(Opcode.CLOSE, close_payload(code, reason)))

    def _heard_close(self, code: int, reason: str, fault: Violation | None = None) -> None:
        """Handle a close frame: echo its code (RFC 6455, section 5.5.1), unless it answers ours or breaks a rule."""
        if self._cause is None:
            mine = self._sent_close
            self._cause = peer_closed(code, reason, fault) if mine is None else we_closed(mine, (code, reason))
        if fault is not None:
            self._fail(fault)
        elif self._open:
            self._say_close(code, "")
        self._deaf = True
        self._wind_down(CLOSE_TIMEOUT)

    def _heard_bad_close(self, payload: bytes, violation: Violation) -> None:
        """Handle a close frame that the parser refused, or HTTP text that looks like one."""
        http = http_text(payload)
        if http is None:
            self._heard_close(*read_close(payload))
        else:
            self._cause = self._cause or http
            self._fail(violation)

    def _wind_down(self, deadline: float) -> None:
        """Wait for the end of the TCP connection, at most ``deadline`` seconds; a pause of reading ends."""
        if self._over:
            return
        self._pings.end()  # a late pong must not become the reason
        if self._paused:
            self._paused = False
            self._loop.call_soon(self._read_on)
        when = self._loop.time() + deadline
        if self._timer is None or when < self._timer.when():
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_at(when, self._transport.abort)

    def eof_received(self) -> None:
        """Abort at once: the server will not send anything more."""
        self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection; what was received before a loss is delivered first."""
        self._end = (exc,)
        if self._cause is not None or self._sent_close is not None:
            self._backlog = memoryview(b"")
        if self._begun:
            self._paused = False
            self._read_on()

    def _finish(self, error: Exception | None) -> None:
        if self._over:
            return
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        self._pings.end()
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

    @property
    def _open(self) -> bool:
        return not (self._over or self._deaf or self._sent_close is not None or self._transport.is_closing())

    def pause_writing(self) -> None:
        """Block sending: the kernel's buffer is full."""
        self._writing.block()

    def resume_writing(self) -> None:
        """Unblock sending: the kernel has taken all data."""
        self._writing.unblock()

    async def send(self, payload: bytes, *, binary: bool, timeout: float | None = None) -> None:
        """See ``Connection.send``; messages leave in the order of the calls."""
        await self.send_rendered(lambda: (payload, binary), timeout=timeout)

    async def send_rendered(self, render: RenderMessage, *, timeout: float | None = None) -> None:
        """See ``Connection.send_rendered``."""
        begun = False

        def frame() -> bytes:
            nonlocal begun
            rendered = self._message(render)
            begun = True
            return rendered

        try:
            async with asyncio.timeout(timeout):
                await self._writing.message(frame, lambda: self._open)
        except TimeoutError:
            within = format_duration(timeout or 0.0)
            if begun:
                raise OutcomeUnknown(f"the server did not read the message within {within}") from None
            raise NotSent(f"the server did not read the messages before it within {within}") from None

    def try_send(self, render: RenderMessage) -> WrittenAtOnce:
        """See ``Connection.try_send``."""
        return self._writing.try_message(lambda: self._message(render), lambda: self._open)

    def _message(self, render: RenderMessage) -> bytes:
        payload, binary = render()
        return self._frame(Opcode.BINARY if binary else Opcode.TEXT, payload)

    async def ping(self) -> float:
        """See ``Connection.ping``."""
        if not self._open:
            raise NotSent("the connection is closed")
        return await self._pings.ping(lambda payload: self._writing.control(self._frame(Opcode.PING, payload)))

    async def close(self, code: int = 1000, reason: str = "", *, deadline: float = CLOSE_TIMEOUT) -> None:
        """See ``Connection.close``."""
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
        """See ``Connection.abort``."""
        if self._over:
            return
        self._cause = self._cause or dropped()
        self._transport.abort()

    def pause_reading(self) -> None:
        """See ``Connection.pause_reading``; without effect while the connection is closing."""
        if self._paused or self._over or self._timer is not None:
            return
        self._paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """See ``Connection.resume_reading``."""
        if self._paused:
            self._paused = False
            if self._begun:
                self._loop.call_soon(self._read_on)
