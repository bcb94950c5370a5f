"""A reader for a named consumer: it is sent committed messages only, and acknowledges them."""

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

    Gaps have no sequence number, so the consumer acknowledges how many it has finished; ``gap_numbers`` maps this
    count to the history's number of the last one.
    """

    __slots__ = ("gap_numbers", "lease")

    def __init__(self, name: str, history: History, lease: ConsumerLease, backpressure: Backpressure | None) -> None:
        super().__init__(name, history, lease.start, backpressure)
        self.lease = lease
        self.gap_numbers = [self.cursor.gaps]

    def next(self) -> ReadResult | None:
        """Give what comes next, if it is committed."""
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
        """End with the last committed message: later ones may never be committed."""
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
        """Take acknowledgements; of several at once, the furthest includes the others."""
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
        """Note that the client sends nothing more."""
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
