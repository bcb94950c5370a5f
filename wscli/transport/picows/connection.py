"""The fast adapter (extra ``fast``): the native interface of picows, whose C code parses frames.

Only the upgrade and the frame parser of picows are used. After the upgrade our protocol replaces its protocol on the
transport and passes each read to it, because picows does not answer close frames, ignores reserved bits, accepts close
codes such as 0 and 1006, flushes without a deadline before it closes, reads without bound, masks with ``rand()``, and
continues to parse after an error.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

from picows import WSFrame, WSListener, WSMsgType, WSTransport
from websockets.exceptions import ProtocolError
from websockets.frames import Close, Frame, Opcode

from wscli.transport.connection import ConnectionListener
from wscli.transport.frames.base import BaseConnection
from wscli.transport.frames.batch import MAX_BATCH, Assembler
from wscli.transport.frames.close_codes import NO_CODE, Violation
from wscli.transport.frames.writer import MOST_PONGS

__all__ = ["PicowsConnection", "FrameListener"]

_TEXT = WSMsgType.TEXT
_SLICE = 1 << 14
"""Bytes of received data that are parsed at once; 8,192 empty frames take some 4 ms."""
_read = bytearray(MAX_BATCH)
"""Every connection reads into this buffer, and is done with it before another one reads."""


class PicowsConnection(BaseConnection, asyncio.BufferedProtocol):
    """A connection whose frames picows parses."""

    __slots__ = ("_frames", "_heard_pings", "_inner", "_wire")

    adapter = "picows"
    _slice = _SLICE

    def __init__(self, wire: WSTransport, listener: ConnectionListener, frames: FrameListener) -> None:
        """Take over after the upgrade, while picows still reads its answer."""
        transport = wire.underlying_transport
        super().__init__(transport, listener, frames.assembler)
        self.subprotocol = frames.subprotocol
        self._wire = wire
        self._frames = frames
        self._inner = cast(asyncio.BufferedProtocol, transport.get_protocol())
        self._heard_pings: list[bytes] = []
        transport.set_protocol(self)

    def _frame(self, opcode: Opcode, payload: bytes) -> bytes:
        return Frame(opcode, payload).serialize(mask=True)

    def _close_frame(self, code: int, reason: str) -> bytes:
        if self._wire.is_close_frame_sent:  # by picows, for an error in later data
            return b""
        payload = b"" if code == NO_CODE else Close(code, reason).serialize()
        return Frame(Opcode.CLOSE, payload).serialize(mask=True)

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS session."""
        found: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        return found

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give the buffer to read into."""
        return memoryview(_read)

    def buffer_updated(self, nbytes: int) -> None:
        """Parse received data, then deliver it."""
        if not self._deaf:
            self._received(memoryview(_read)[:nbytes])

    def _parse(self, data: memoryview) -> bool:
        while data:
            room = cast(memoryview, self._inner.get_buffer(-1))
            size = min(len(room), len(data))
            room[:size] = data[:size]
            self._inner.buffer_updated(size)
            data = data[size:]
        frames = self._frames
        return frames.violation is None and frames.closed is None and not self._wire.is_close_frame_sent

    def _hand_over(self) -> None:
        super()._hand_over()
        if self._heard_pings:
            pings, self._heard_pings = self._heard_pings[-MOST_PONGS:], []
            if self._open:
                self._writing.pongs([self._frame(Opcode.PONG, ping) for ping in pings])
        frames = self._frames
        if self._deaf:
            return
        if frames.violation is not None:
            self._fail(frames.violation)
        elif frames.closed is not None:
            self._answer_close(*frames.closed)
        elif self._wire.is_close_frame_sent:
            self._own_failure()

    def _answer_close(self, code: int, reason: str) -> None:
        """Echo the code (RFC 6455, section 5.5.1), unless the frame answers ours."""
        if self._open:
            self._writing.control(self._close_frame(code, ""))
        self._heard_close(code, reason)

    def _own_failure(self) -> None:
        """Report an error that picows found: it has sent a close frame and closes in 10 ms."""
        sent = self._wire.close_handshake.sent
        code, reason = (1002, "protocol error") if sent is None else (sent.code.value, sent.reason)
        self._sent_close = code
        self._fail(Violation(code, reason))

    def heard_control(self, is_ping: bool, payload: bytes) -> None:
        """Handle a pong, or keep a ping, which is answered after the messages of this turn."""
        if is_ping:
            self._heard_pings.append(payload)
        else:
            self._pings.heard(payload)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection; picows is not told, because its objects end with this one."""
        self._frames.connection = None
        super().connection_lost(exc)


class FrameListener(WSListener):
    """Receives the frames of picows: messages for the batch, control frames for the connection."""

    __slots__ = ("assembler", "closed", "connection", "listener", "subprotocol", "violation")

    def __init__(self, listener: ConnectionListener, max_message: int, subprotocol: str | None) -> None:
        self.assembler = Assembler(max_message)
        self.listener = listener
        self.subprotocol = subprotocol
        self.connection: PicowsConnection | None = None
        self.violation: Violation | None = None
        self.closed: tuple[int, str] | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take over after an answer of 101."""
        self.connection = PicowsConnection(transport, self.listener, self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Handle one frame; the common case first."""
        if (
            frame.msg_type is _TEXT
            and self.assembler.plain
            and frame.fin
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
        ):
            self.assembler.payloads.append(frame.get_payload_as_bytes())
        elif self.violation is None and self.closed is None:
            try:
                self._take(frame)
            except Violation as violation:
                self.violation = violation
                self.assembler.plain = False

    def _take(self, frame: WSFrame) -> None:
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            raise Violation(1002, "reserved bits must be 0")
        kind, payload = frame.msg_type, frame.get_payload_as_bytes()
        if kind in (WSMsgType.TEXT, WSMsgType.BINARY):
            self.assembler.first(payload, text=kind == WSMsgType.TEXT, fin=frame.fin)
        elif kind == WSMsgType.CONTINUATION:
            self.assembler.more(payload, fin=frame.fin)
        elif kind == WSMsgType.CLOSE:
            self.closed = _read_close(payload)
            self.assembler.plain = False
        elif self.connection is not None:
            self.connection.heard_control(kind == WSMsgType.PING, payload)


def _read_close(payload: bytes) -> tuple[int, str]:
    """Parse the code and the reason of a close frame (RFC 6455, sections 5.5.1 and 7.4)."""
    try:
        close = Close.parse(payload)
    except ProtocolError as error:
        raise Violation(1002, str(error)) from None
    except UnicodeDecodeError:
        raise Violation(1007, "a close reason that is not UTF-8") from None
    return int(close.code), close.reason
