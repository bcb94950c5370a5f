"""The default adapter: the Sans-I/O layer of ``websockets`` in an asyncio protocol.

The library parses, masks, compresses and enforces RFC 6455 and 7692; the socket is ours: one batch a turn of the loop,
real back-pressure, deadlines that hold. The library's asyncio interface decodes text that we need as bytes, its
``ping``, ``drain`` and ``close`` block while the write buffer is full, and it is a third slower.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State

from wscli.transport.connection import ConnectionListener
from wscli.transport.frames.base import BaseConnection
from wscli.transport.frames.batch import MAX_BATCH, Assembler
from wscli.transport.frames.close_codes import NO_CODE, Violation

__all__ = ["WebsocketsConnection"]

_SLICE = 4096
"""Bytes of received data that are parsed at once; 2,048 empty frames take some 5 ms."""
_DEFLATED_SLICE = 2048
"""The same of compressed data, which inflates to 2 MiB at most."""


class WebsocketsConnection(BaseConnection, asyncio.Protocol):
    """A connection whose frames ``websockets`` parses and serialises."""

    __slots__ = ("_ended", "_slice", "_violation", "_wire")

    adapter = "websockets"

    def __init__(
        self,
        transport: asyncio.Transport,
        listener: ConnectionListener,
        wire: ClientProtocol,
        assembler: Assembler,
        rest: bytes,
    ) -> None:
        """Take over after the upgrade; ``rest`` is the data received with its answer."""
        super().__init__(transport, listener, assembler)
        self.subprotocol = wire.subprotocol
        self._wire = wire
        self._backlog = memoryview(rest)
        self._slice = _DEFLATED_SLICE if wire.extensions else _SLICE
        self._violation: Violation | None = None
        self._ended = False
        """Whether the wire's failure or close frame was handled."""

    def _frame(self, opcode: Opcode, payload: bytes) -> bytes:
        if opcode >= Opcode.PING:
            return Frame(opcode, payload).serialize(mask=True)
        (self._wire.send_text if opcode is Opcode.TEXT else self._wire.send_binary)(payload)
        return b"".join(self._wire.data_to_send())

    def _close_frame(self, code: int, reason: str) -> bytes:
        if self._wire.state is not State.OPEN:
            pass  # the wire has answered a close frame
        elif code == NO_CODE:
            self._wire.send_close()
        else:
            self._wire.send_close(code, reason)
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
            self._heard_close(wire.close_rcvd.code, wire.close_rcvd.reason)
        elif not self._ended and wire.parser_exc is not None:
            self._ended = True
            close = wire.close_sent
            violation = Violation(1002, "protocol error") if close is None else Violation(int(close.code), close.reason)
            self._sent_close = violation.code  # the wire has sent it
            self._fail(violation)

    def _collect(self, events: Sequence[object]) -> Violation | None:
        """Collect messages and handle pongs; the wire has answered pings and close frames."""
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
        """Write the answers of the wire: pongs, then perhaps one close frame."""
        frames = self._wire.data_to_send()
        pongs = [frame for frame in frames if frame and frame[0] & 0x0F == Opcode.PONG]
        if pongs and self._open:
            self._writing.pongs(pongs)
        for frame in frames:
            if frame and frame[0] & 0x0F != Opcode.PONG:
                self._writing.control(frame)
