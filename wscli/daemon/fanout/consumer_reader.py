"""A reader by the name of a consumer: it is given only what is committed, and says how far it is done with it."""

from __future__ import annotations

import asyncio
import socket

from wscli.clock import Clock
from wscli.control.frames import ACK, CONFIRMED, header
from wscli.daemon.channel.backpressure import Backpressure
from wscli.daemon.fanout.readers import Reader
from wscli.daemon.fanout.sources import HistorySource, Options
from wscli.history.consumers import ConsumerLease
from wscli.history.memory import History
from wscli.history.records import Cursor, GapRecord, ReadResult

__all__ = ["ConsumerReader", "ConsumerSource"]


class ConsumerSource(HistorySource):
    """A history as a named consumer reads it.

    Gaps take no sequence number, so that the consumer counts those that it is done with; ``gap_numbers`` has the
    history's own number behind each.
    """

    __slots__ = ("gap_numbers", "lease")

    def __init__(self, name: str, history: History, lease: ConsumerLease, backpressure: Backpressure | None) -> None:
        super().__init__(name, history, lease.start, backpressure)
        self.lease = lease
        self.gap_numbers = [self.cursor.gaps]

    def next(self) -> ReadResult | None:
        """Give what comes next, as far as it is committed."""
        found = super().next()
        if found is None:
            return None
        if isinstance(found.item, GapRecord):
            self.gap_numbers.append(found.cursor.gaps)
            return found
        committed = self.lease.committed
        if found.item.first > committed:
            return None
        part = found.item.part(found.item.first, committed)
        return ReadResult(part, found.cursor._replace(seq=part.last))

    def end_here(self) -> None:
        """End with what is committed by now: what is not may never be."""
        self.until = self.lease.committed


class ConsumerReader(Reader):
    """Sends to a client, and takes its acknowledgements (`control.frames.ACK`) until it sends no more."""

    def __init__(self, sock: socket.socket, source: ConsumerSource, options: Options, *, clock: Clock) -> None:
        super().__init__(sock, [source], options, clock=clock)
        self._source = source
        self._unread = bytearray()
        self._left = asyncio.get_running_loop().create_future()

    async def serve(self) -> None:
        """Send until the end; what the client still acknowledges after it counts too."""
        await self._writer.run()
        await self._left

    def heard(self, data: bytes) -> None:
        """Take acknowledgements; of those that came together the furthest has all of them."""
        self._unread += data
        whole = len(self._unread) // ACK.size * ACK.size
        source = self._source
        cursors = [
            Cursor(seq, source.gap_numbers[gaps], source.cursor.epoch)
            for seq, gaps in ACK.iter_unpack(self._unread[:whole])
            if seq <= source.cursor.seq and gaps < len(source.gap_numbers)
        ]
        if cursors:
            source.lease.move(max(cursors))
        del self._unread[:whole]

    def hung_up(self) -> None:
        """The client sends no more."""
        if not self._left.done():
            self._left.set_result(None)
        super().hung_up()

    async def confirm(self) -> None:
        """Tell the client that its position is kept.

        Raises:
            WscliError: it is not.
        """
        await self._source.lease.confirmed()
        await asyncio.get_running_loop().sock_sendall(self._sock, header(CONFIRMED, 0, 0))
