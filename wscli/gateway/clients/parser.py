"""The WebSocket protocol of one accepted client, without I/O: bytes in, messages and control frames out (RFC 6455)."""

from __future__ import annotations

from typing import NamedTuple

from websockets.frames import Close, Frame, Opcode
from websockets.server import ServerProtocol
from websockets.utils import apply_mask

from wscli.transport.frames.batch import Assembler, is_utf8
from wscli.transport.frames.close_codes import Violation, close_payload

__all__ = ["ParseResult", "ClientMessage", "ClientParser", "close_frame"]


class ClientMessage(NamedTuple):
    """A message of a client."""

    payload: bytes
    binary: bool


class ParseResult(NamedTuple):
    """The outcome of some bytes."""

    messages: list[ClientMessage]
    pong: bytes | None
    """Answer to the last ping (RFC 6455, section 5.5.3)."""
    close: bytes | None
    """Close frame to send: the client's own, echoed, or ours for a violation."""
    failed: bool
    """Whether the client broke the protocol."""


class ClientParser:
    """Parses the frames of a client after its upgrade; text is checked to be UTF-8."""

    def __init__(self, protocol: ServerProtocol, max_message: int) -> None:
        self._protocol = protocol
        self._assembler = Assembler(max_message)
        self._max_message = max_message
        self._unparsed = 0
        """Bytes since the end of the last frame, as far as the frames are of the shortest form."""
        self.closing = False
        """Whether a close frame was received, or the protocol violated: further bytes are ignored."""

    @property
    def closed(self) -> Close | None:
        """The client's close frame; code 1005 where it holds none."""
        return self._protocol.close_rcvd

    def receive(self, data: bytes) -> ParseResult:
        """Parse bytes from the network."""
        if self.closing:
            return ParseResult([], None, None, failed=False)
        if (message := self._whole_message(data)) is not None:
            return ParseResult([message], None, None, failed=False)
        self._unparsed += len(data)
        self._protocol.receive_data(data)
        violation = self._sort()
        payloads, kinds, bad = self._assembler.take()
        messages = [
            ClientMessage(payload, kinds is not None and kinds[index] == _BINARY)
            for index, payload in enumerate(payloads)
        ]
        replies = {frame[0] & 0x0F: frame for frame in self._protocol.data_to_send() if frame}  # the last of each kind
        pong, close = replies.get(Opcode.PONG), replies.get(Opcode.CLOSE)
        violation = violation or bad
        if violation is not None:
            close = close_frame(violation.code, violation.text)
        failed = violation is not None or self._protocol.parser_exc is not None
        self.closing = failed or close is not None
        return ParseResult(messages, pong, close, failed)

    def _whole_message(self, data: bytes) -> ClientMessage | None:
        """Parse data that is one small frame with a whole message, as most are; None: it is something else."""
        size = len(data) - _SMALL_HEAD
        if self._unparsed or not 0 <= size <= min(_MOST_SMALL, self._max_message) or data[1] != _MASKED | size:
            return None
        if data[0] not in (_WHOLE_TEXT, _WHOLE_BINARY) or not self._assembler.plain:
            return None
        payload = apply_mask(data[_SMALL_HEAD:], data[2:_SMALL_HEAD])
        binary = data[0] == _WHOLE_BINARY
        return ClientMessage(payload, binary) if binary or is_utf8(payload) else None

    def _sort(self) -> Violation | None:
        try:
            for frame in self._protocol.events_received():
                if not isinstance(frame, Frame):
                    continue
                self._unparsed -= _length_on_wire(len(frame.data))
                if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
                    self._assembler.first(bytes(frame.data), text=frame.opcode is Opcode.TEXT, fin=frame.fin)
                elif frame.opcode is Opcode.CONT:
                    self._assembler.more(bytes(frame.data), fin=frame.fin)
        except Violation as violation:
            return violation
        return None


_BINARY = ord("b")
_WHOLE_TEXT, _WHOLE_BINARY, _MASKED = 0x81, 0x82, 0x80
"""The first byte of an unfragmented message, and the bit of the second that says it is masked (RFC 6455, 5.2)."""
_SMALL_HEAD, _MOST_SMALL = 6, 125
"""Bytes of the head of a small masked frame, its mask included, and of its payload at most."""


def _length_on_wire(size: int) -> int:
    """Give the bytes of a masked frame with a payload of that size."""
    return size + _SMALL_HEAD + (0 if size <= _MOST_SMALL else 2 if size < 1 << 16 else 8)


def close_frame(code: int, reason: str = "") -> bytes:
    """Make a server's close frame; a reason that is too long is cut, and code 1005 is none."""
    return Frame(Opcode.CLOSE, close_payload(code, reason)).serialize(mask=False)
