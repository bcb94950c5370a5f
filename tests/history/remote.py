"""A log on another machine, as a test has it: slow to open, with owners that fence each other out."""

from __future__ import annotations

import asyncio

from wscli.errors import WscliError
from wscli.history.gaps import NumberedGap
from wscli.history.limits import HistoryLimits
from wscli.history.log import Commit, ConsumerPosition, LogFenced, LogSegment, LogState, WriteBatch
from wscli.history.records import Batch, GapRecord

__all__ = ["RemoteLog"]


class RemoteLog:
    """A `LogBackend` that keeps everything in a list."""

    def __init__(self) -> None:
        self.name = "orders"
        self.limits = HistoryLimits()
        self.state: LogState | None = None
        self.reachable, self.appending = asyncio.Event(), asyncio.Event()
        self.appending.set()
        self.failures: list[WscliError] = []
        self.closed: list[WriteBatch] = []
        self.batches: list[Batch] = []
        self.gaps: list[NumberedGap] = []
        self.consumers: dict[str, ConsumerPosition] = {}
        self._epochs: dict[str, int] = {}
        self._owned = False

    @property
    def last(self) -> int:
        return self.batches[-1].last if self.batches else 0

    def write_elsewhere(self, *payloads: bytes) -> None:
        """Let another owner take the log over, and append messages."""
        self._owned = False
        epoch = self._next_epoch()
        end = sum(batch.size for batch in self.batches)
        if payloads:
            self.batches.append(Batch(self.last + 1, 5.0, list(payloads), None, epoch=epoch, offset=end))

    def intact(self) -> bool:
        return self._owned

    async def open(self) -> LogState:
        """Take the log over, once it can be reached."""
        await self.reachable.wait()
        self._owned = True
        epoch = self._next_epoch()
        self.state = LogState(
            epoch,
            self._commit(),
            sum(batch.size for batch in self.batches),
            written_at=5.0 if self.batches else None,
            gaps=[(one.number, one.gap) for one in self.gaps],
            gap_count=self.gaps[-1].number if self.gaps else 0,
            past={name: last for name, last in self._epochs.items() if name != epoch},
            consumers=self.consumers,
        )
        return self.state

    async def append(self, batch: WriteBatch, now: float) -> Commit:
        """Append as its owner; one that lost the log is refused."""
        await self.appending.wait()
        if self.failures:
            raise self.failures.pop(0)
        if not self._owned:
            raise LogFenced("'orders' is written by another owner", "it is taken back once that one ends")
        assert all(one.epoch == self._epoch for one in batch.batches)
        self.batches += [one for one in batch.batches if one.last > self.last]
        self.gaps += batch.gaps
        for name, position in batch.consumers.items():
            if position is None:
                del self.consumers[name]
            else:
                self.consumers[name] = position
        self._epochs[self._epoch] = self.last
        return self._commit()

    async def read(self, number: int, upto: int) -> LogSegment:
        """Read one batch, or the gap before it."""
        batch = next(one for one in self.batches if one.last >= number)
        if batch.first > number:
            return LogSegment([GapRecord(number - 1, "disk", missed=batch.first - number)])
        return LogSegment([batch.part(number, upto)])

    async def find(self, ts: float) -> int | None:
        return next((one.first for one in self.batches if one.horizon >= ts), None)

    def end(self, rest: WriteBatch, now: float) -> None:
        self.closed.append(rest)

    async def close(self, rest: WriteBatch, now: float) -> Commit:
        return await self.append(rest, now)

    @property
    def _epoch(self) -> str:
        return next(reversed(self._epochs))

    def _next_epoch(self) -> str:
        if self._epochs:
            self._epochs[self._epoch] = self.last
        epoch = f"epoch{len(self._epochs) + 1}"
        self._epochs[epoch] = self.last
        return epoch

    def _commit(self) -> Commit:
        return Commit(self.last, self.batches[0].first if self.batches else None, None)
