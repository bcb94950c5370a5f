"""The WebSocket protocol of one accepted client, without I/O: bytes in, messages and control frames out (RFC 6455)."""

from __future__ import annotations

from typing import NamedTuple

from websockets.frames import Close, Frame, Opcode
from websockets.server import ServerProtocol

from wscli.transport.frames.batch import Assembler
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

    def _sort(self) -> Violation | None:
        try:
            for frame in self._protocol.events_received():
                if not isinstance(frame, Frame):
                    continue
                if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.BINARY:
                    self._assembler.first(bytes(frame.data), text=frame.opcode is Opcode.TEXT, fin=frame.fin)
                elif frame.opcode is Opcode.CONT:
                    self._assembler.more(bytes(frame.data), fin=frame.fin)
        except Violation as violation:
            return violation
        return None


_BINARY = ord("b")


def close_frame(code: int, reason: str = "") -> bytes:
    """Make a server's close frame; a reason that is too long is cut, and code 1005 is none."""
    return Frame(Opcode.CLOSE, close_payload(code, reason)).serialize(mask=False)
