"""The fast adapter (extra ``fast``): the frame parser of picows, which is C code.

Only this parser is used. The protocol of picows gets each read from ours, and has no transport of its own, because
picows does not answer close frames, ignores reserved bits, accepts close codes such as 0 and 1006, flushes without a
deadline before it closes, reads without bound, masks with ``rand()``, and continues to parse after an error.
"""

from __future__ import annotations

import asyncio
import re

from picows import WSAutoPingStrategy, WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport
from picows.picows import WSProtocol  # type: ignore[attr-defined]  # its stubs leave it out
from websockets.frames import Opcode
from websockets.utils import accept_key

from wscli.transport.dial.agreement import Agreement
from wscli.transport.dial.context import DialContext
from wscli.transport.dial.tunnel import Conduit
from wscli.transport.dial.upgrade import upgrade
from wscli.transport.frames.bad_close import find_bad_close, read_close
from wscli.transport.frames.base import BaseConnection
from wscli.transport.frames.batch import MAX_BATCH, Assembler
from wscli.transport.frames.close_codes import Violation
from wscli.transport.frames.writer import MOST_PONGS
from wscli.transport.silent_logger import SILENT_LOGGER

__all__ = ["open_picows"]

_TEXT = WSMsgType.TEXT
_FIRST_BUFFER = 2048
"""Bytes; small for idle connections, it grows with the traffic."""
_SIZES = re.compile(r"(\d+) > \d+")
"""In the reason of picows for a frame that is too large."""
_OF_A_CLOSE = re.compile("CLOSE|opcode=0x8|fragmented control")
"""In an error of picows: the frame is a close frame, or HTTP text, which looks like one."""
_SLICE = 1 << 14
"""Bytes of received data that are parsed at once; 8,192 empty frames take some 2 ms."""
_read = bytearray(MAX_BATCH)
"""Every connection reads into this buffer, and is done with it before another one reads."""


async def open_picows(dial: DialContext, conduit: Conduit) -> PicowsConnection:
    """Upgrade a connection; see ``dial.upgrade``. Compression is not offered, because the parser has none."""
    return await upgrade(dial, conduit, PicowsConnection)


class _Nowhere:
    """The transport of picows, and its socket: what picows writes is discarded."""

    def get_extra_info(self, name: str) -> _Nowhere | None:
        return self if name == "socket" else None

    def get_write_buffer_size(self) -> int:
        return 1  # else picows writes to the descriptor itself

    def fileno(self) -> int:
        return -1

    def getsockopt(self, *_: int) -> int:
        return 0

    def setsockopt(self, *_: int) -> None: ...
    def write(self, _: bytes) -> None: ...
    def close(self) -> None: ...


_NOWHERE = _Nowhere()


def _frame_parser(listener: FrameListener, max_frame: int) -> WSProtocol:
    """Make a protocol of picows that has just received a valid answer of 101."""
    parser = WSProtocol(
        host_port="localhost",
        ws_path="/",
        is_client_side=True,
        ws_listener_factory=lambda: listener,
        logger=SILENT_LOGGER,
        disconnect_on_exception=True,
        websocket_handshake_timeout=None,
        enable_auto_ping=False,
        auto_ping_idle_timeout=0.0,
        auto_ping_reply_timeout=0.0,
        auto_ping_strategy=WSAutoPingStrategy.PING_WHEN_IDLE,
        enable_auto_pong=False,
        max_frame_size=max_frame,
        extra_headers=None,
        read_buffer_init_size=_FIRST_BUFFER,
    )
    parser.connection_made(_NOWHERE)
    key = accept_key(parser.transport.request.headers["Sec-WebSocket-Key"])
    head = "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + key + "\r\n\r\n"
    _feed(parser, memoryview(head.encode()))
    for message in (parser.transport.request, parser.transport.response):
        message.headers.clear()  # the parser keeps both as long as it lives
    return parser


def _feed(parser: WSProtocol, left: memoryview) -> None:
    """Give data to the parser, up to an error that it finds: it would go on behind it."""
    while left and not parser.transport.is_close_frame_sent:
        buffer = parser.get_buffer(-1)
        size = min(len(buffer), len(left))
        buffer[:size], left = left[:size], left[size:]
        parser.buffer_updated(size)


class PicowsConnection(BaseConnection, asyncio.BufferedProtocol):
    """A connection whose frames picows parses."""

    __slots__ = ("_frames", "_heard_pings", "_parser", "_raw", "_wire")

    adapter = "picows"
    _slice = _SLICE

    def __init__(self, transport: asyncio.Transport, dial: DialContext, agreement: Agreement, rest: bytes) -> None:
        """Take over after the upgrade; ``rest`` is the data received with its answer."""
        super().__init__(transport, dial.listener, Assembler(dial.target.max_message))
        self.subprotocol = agreement.subprotocol
        self._frames = FrameListener(self._assembler, self)
        self._parser = _frame_parser(self._frames, dial.target.max_message)
        self._wire: WSTransport = self._parser.transport
        self._heard_pings: list[bytes] = []
        self._backlog = memoryview(rest)
        self._raw: memoryview | None = None
        """The received data in which picows found an error."""

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give the buffer to read into."""
        return memoryview(_read)

    def buffer_updated(self, nbytes: int) -> None:
        """Parse received data, then deliver it."""
        if not self._deaf:
            self._received(memoryview(_read)[:nbytes])

    def _parse(self, data: memoryview) -> bool:
        _feed(self._parser, data)
        if self._wire.is_close_frame_sent:
            self._raw = data
        frames = self._frames
        return frames.violation is None and frames.closed is None and not self._wire.is_close_frame_sent

    def _hand_over(self) -> None:
        super()._hand_over()
        if self._heard_pings:
            pings, self._heard_pings = self._heard_pings[-MOST_PONGS:], []
            if self._open:
                self._writing.pongs([self._frame(Opcode.PONG, ping) for ping in pings])
        if not self._deaf:
            self._react(self._frames)
        self._raw = None

    def _react(self, frames: FrameListener) -> None:
        """Handle what ended the parsing, if anything did."""
        if frames.violation is not None:
            self._fail(frames.violation)
        elif frames.closed is not None:
            self._heard_close(*read_close(frames.closed))
        elif self._wire.is_close_frame_sent:
            self._own_failure()

    def _own_failure(self) -> None:
        """Fail for an error that picows found."""
        sent = self._wire.close_handshake.sent
        violation = Violation(1002, "protocol error") if sent is None else Violation(sent.code.value, sent.reason)
        if violation.code == WSCloseCode.MESSAGE_TOO_BIG.value:
            sizes = _SIZES.search(violation.text or "")
            violation = self._assembler.too_large(int(sizes[1]) if sizes else None)
        of_a_close = _OF_A_CLOSE.search(violation.text)
        payload = find_bad_close(bytes(self._raw)) if of_a_close and self._raw is not None else None
        if payload is None:
            self._fail(violation)
        else:
            self._heard_bad_close(payload, violation)

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

    __slots__ = ("assembler", "closed", "connection", "violation")

    def __init__(self, assembler: Assembler, connection: PicowsConnection) -> None:
        self.assembler = assembler
        self.connection: PicowsConnection | None = connection
        self.violation: Violation | None = None
        self.closed: bytes | None = None
        """The payload of the server's close frame."""

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
            self.closed = payload
            self.assembler.plain = False
        elif self.connection is not None:
            self.connection.heard_control(kind == WSMsgType.PING, payload)
