"""The fast adapter (extra ``fast``): the native listener of picows, whose C code parses what arrives.

Of picows only the upgrade and the frame parser are used. After the upgrade the link takes the protocol's server on the
transport and hands each read on to it, because picows leaves out much of what a link owes: it answers no close frame,
does not look at reserved bits, accepts close codes such as 0 and 1006, closes by a flush that may take for ever, reads
without bound, masks by ``rand()``, and goes on parsing after an error of its own.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import cast

from picows import WSFrame, WSListener, WSMsgType, WSTransport
from websockets.exceptions import ProtocolError
from websockets.frames import Close, Frame, Opcode

from wscli.transport.frames.base import BaseLink
from wscli.transport.frames.batch import MAX_BATCH, Assembler
from wscli.transport.frames.close_codes import NO_CODE, Violation
from wscli.transport.link import Listener

__all__ = ["FastLink", "Frames"]

_TEXT = WSMsgType.TEXT
_waste = bytearray(1 << 16)
"""Where a deaf link reads what it throws away."""


class FastLink(BaseLink, asyncio.BufferedProtocol):
    """An open connection, whose frames picows parses."""

    __slots__ = ("_frames", "_inner", "_wire")

    adapter = "picows"

    def __init__(self, wire: WSTransport, listener: Listener, frames: Frames) -> None:
        """Take over after the upgrade, from within picows' own reading of it."""
        transport = wire.underlying_transport
        super().__init__(transport, listener, frames.assembler)
        self._wire = wire
        self._frames = frames
        self._inner = cast(asyncio.BufferedProtocol, transport.get_protocol())
        transport.set_protocol(self)

    def _frame(self, opcode: int, payload: bytes) -> bytes:
        return Frame(Opcode(opcode), payload).serialize(mask=True)

    def _close_frame(self, code: int, reason: str) -> bytes:
        if self._wire.is_close_frame_sent:  # picows was faster, about an error further on
            return b""
        payload = b"" if code == NO_CODE else Close(code, reason).serialize()
        return Frame(Opcode.CLOSE, payload).serialize(mask=True)

    @property
    def tls(self) -> ssl.SSLObject | None:
        """What the TLS handshake agreed on."""
        found: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        return found

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend picows' own buffer to the next read, but for no more than a batch."""
        if self._deaf:
            return memoryview(_waste)
        return cast(memoryview, self._inner.get_buffer(sizehint))[:MAX_BATCH]

    def buffer_updated(self, nbytes: int) -> None:
        """Have picows parse what was read, then act on it."""
        if not self._deaf:
            self._inner.buffer_updated(nbytes)
            self._hand_over()

    def _hand_over(self) -> None:
        super()._hand_over()
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
        """Echo the code, as the RFC's section 5.5.1 has it, unless the frame is itself the answer to ours."""
        if self._open:
            self._writing.control(self._close_frame(code, ""))
        self._heard_close(code, reason)

    def _own_failure(self) -> None:
        """Picows found an error, said so to the server, and will close in 10 ms; the link only words it."""
        sent = self._wire.close_handshake.sent
        code, reason = (1002, "protocol error") if sent is None else (sent.code.value, sent.reason)
        self._sent_close = code
        self._fail(Violation(code, reason))

    def heard_control(self, is_ping: bool, payload: bytes) -> None:
        """Act on a ping or a pong."""
        (self._heard_ping if is_ping else self._heard_pong)(payload)

    def connection_lost(self, exc: Exception | None) -> None:
        """The TCP connection is gone; picows need not know, everything of it goes with us."""
        self._frames.link = None
        super().connection_lost(exc)


class Frames(WSListener):
    """Sorts the frames of a read: messages into the batch, control frames to the link."""

    __slots__ = ("assembler", "closed", "link", "listener", "subprotocol", "violation")

    def __init__(self, listener: Listener, max_message: int, subprotocol: str | None) -> None:
        self.assembler = Assembler(max_message)
        self.listener = listener
        self.subprotocol = subprotocol
        self.link: FastLink | None = None
        self.violation: Violation | None = None
        self.closed: tuple[int, str] | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """The upgrade was answered with 101: the link takes over."""
        self.link = FastLink(transport, self.listener, self)
        self.link.subprotocol = self.subprotocol

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame; the common case first."""
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
        elif self.link is not None:
            self.link.heard_control(kind == WSMsgType.PING, payload)


def _read_close(payload: bytes) -> tuple[int, str]:
    """Give the code and the reason of a close frame (RFC 6455, sections 5.5.1 and 7.4)."""
    try:
        close = Close.parse(payload)
    except ProtocolError as error:
        raise Violation(1002, str(error)) from None
    except UnicodeDecodeError:
        raise Violation(1007, "a close reason that is not UTF-8") from None
    return int(close.code), close.reason
