"""The default adapter: the Sans-I/O layer of ``websockets`` in an asyncio protocol.

The library parses, masks, compresses and enforces RFC 6455 and 7692; the socket is ours: one batch a turn of the loop,
real back-pressure, deadlines that hold. The library's asyncio interface decodes text that we need as bytes, its
``ping``, ``drain`` and ``close`` block while the write buffer is full, and it is a third slower.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Sequence

from websockets.exceptions import PayloadTooBig
from websockets.extensions.permessage_deflate import enable_client_permessage_deflate
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side, State

from wscli.transport.dial.agreement import Agreement
from wscli.transport.dial.context import DialContext
from wscli.transport.dial.tunnel import Conduit
from wscli.transport.dial.upgrade import upgrade
from wscli.transport.frames.bad_close import http_text
from wscli.transport.frames.base import BaseConnection
from wscli.transport.frames.batch import MAX_BATCH, Assembler
from wscli.transport.frames.close_codes import Violation
from wscli.transport.silent_logger import SILENT_LOGGER

__all__ = ["open_websockets"]

_LINE = 100
"""Bytes of received data in which HTTP text is looked for."""
_SLICE = 2048
"""Bytes of received data that are parsed at once; 1,024 empty frames take some 3 ms."""
_DEFLATED_SLICE = 1024
"""The same of compressed data, which inflates to 1 MiB at most."""


async def open_websockets(dial: DialContext, conduit: Conduit) -> WebsocketsConnection:
    """Upgrade a connection; see ``dial.upgrade``."""
    deflate = dial.target.compression == "deflate"
    extensions = enable_client_permessage_deflate(None) if deflate else ()
    return await upgrade(dial, conduit, WebsocketsConnection, extensions)


def _refused_frame(error: Exception) -> Frame | None:
    """Give the frame that the library refused: only the parser's own variables still hold it."""
    found = [
        value
        for caller, _ in traceback.walk_tb(error.__traceback__)
        for value in caller.f_locals.values()
        if isinstance(value, Frame)
    ]
    return found[-1] if found else None  # the outer ones have the frame before it


class WebsocketsConnection(BaseConnection, asyncio.Protocol):
    """A connection whose frames ``websockets`` parses and serialises."""

    __slots__ = ("_ended", "_slice", "_violation", "_wire")

    adapter = "websockets"

    def __init__(self, transport: asyncio.Transport, dial: DialContext, agreement: Agreement, rest: bytes) -> None:
        """Take over after the upgrade; ``rest`` is the data received with its answer."""
        super().__init__(transport, dial.listener, Assembler(dial.target.max_message))
        self.subprotocol = agreement.subprotocol
        self._wire = Protocol(Side.CLIENT, state=State.OPEN, max_size=dial.target.max_message, logger=SILENT_LOGGER)
        self._wire.extensions = list(agreement.extensions)
        self._backlog = memoryview(rest)
        self._slice = _DEFLATED_SLICE if agreement.extensions else _SLICE
        self._violation: Violation | None = None
        self._ended = False
        """Whether the wire's failure or close frame was handled."""

    def _frame(self, opcode: Opcode, payload: bytes) -> bytes:
        if opcode >= Opcode.CLOSE:
            return super()._frame(opcode, payload)
        (self._wire.send_text if opcode is Opcode.TEXT else self._wire.send_binary)(payload)
        return b"".join(self._wire.data_to_send())

    def data_received(self, data: bytes) -> None:
        """Parse received data, then deliver it."""
        if not self._deaf:
            self._received(memoryview(data))

    def _parse(self, data: memoryview) -> bool:
        wire = self._wire
        wire.receive_data(bytes(data))
        self._violation = self._collect(wire.events_received())
        if self._violation is not None or wire.close_rcvd is not None or wire.parser_exc is not None:
            return False
        return not wire.extensions or sum(map(len, self._assembler.payloads)) < MAX_BATCH

    def _hand_over(self) -> None:
        super()._hand_over()
        wire = self._wire
        self._reply()
        if self._violation is not None:
            self._fail(self._violation)
        elif not self._ended and wire.close_rcvd is not None:
            self._ended = True
            # Inside a message, too, where the library takes it for an error (RFC 6455, section 5.4).
            self._heard_close(wire.close_rcvd.code, wire.close_rcvd.reason)
        elif not self._ended and wire.parser_exc is not None:
            self._ended = True
            violation = self._own_failure(wire.parser_exc)
            refused = _refused_frame(wire.parser_exc)
            if refused is not None and refused.opcode is Opcode.CLOSE:
                self._heard_bad_close(bytes(refused.data), violation)
            else:
                self._fail(violation)

    def _own_failure(self, error: Exception) -> Violation:
        """Name what the library found."""
        if isinstance(error, PayloadTooBig):
            known = error.size is not None and not self._wire.extensions  # else it may be compressed
            return self._assembler.too_large((error.size or 0) + (error.current_size or 0) if known else None)
        close = self._wire.close_sent
        return Violation(1002, "protocol error") if close is None else Violation(int(close.code), close.reason)

    def _finish(self, error: Exception | None) -> None:
        if self._sent_close is None:  # HTTP text that is shorter than the frame that it looks like
            self._cause = self._cause or http_text(bytes(self._wire.reader.buffer[:_LINE]))
        super()._finish(error)

    def _collect(self, events: Sequence[object]) -> Violation | None:
        """Collect messages and handle pongs; the wire has answered pings."""
        assembler = self._assembler
        try:
            for event in events:
                if not isinstance(event, Frame):
                    continue
                opcode, payload = event.opcode, bytes(event.data)
                if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
                    assembler.first(payload, text=opcode is Opcode.TEXT, fin=event.fin)
                elif opcode is Opcode.CONT:
                    assembler.more(payload, fin=event.fin)
                elif opcode is Opcode.PONG:
                    self._pings.heard(payload)
        except Violation as violation:
            return violation
        return None

    def _reply(self) -> None:
        """Write the pongs of the wire, one for each ping; its close frames are dropped, because they are ours."""
        pongs = [frame for frame in self._wire.data_to_send() if frame and frame[0] & 0x0F == Opcode.PONG]
        if pongs and self._open:
            self._writing.pongs(pongs)
