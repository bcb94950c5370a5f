"""A history that outlives the manager: the newest messages in memory, and a log back end behind them.

Readers that keep up never touch the log; others read from it what has left the window. A message has its number and
reaches readers before it is committed; named consumers see only committed messages.

Messages that the log could not take (it is full, too slow, or not open) leave a gap ``disk`` with their exact number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from wscli.clock import Clock
from wscli.errors import WscliError
from wscli.history.consumers import NamedConsumers
from wscli.history.gaps import Gaps
from wscli.history.keyed_queue import KeyedQueue
from wscli.history.limits import HistoryLimits
from wscli.history.log import Commit, LogBackend, LogState, WriteBatch
from wscli.history.log_writer import LogWriter, WriteQueue
from wscli.history.memory import History
from wscli.history.read_ahead import ReadAhead
from wscli.history.records import Batch, Cursor, GapRecord, Position, ReadResult, Start

__all__ = ["WINDOW", "WriteBehindHistory"]

WINDOW = HistoryLimits(keep=10_000, max_size=8 << 20)
"""What is kept in memory too, for readers that keep up."""


class WriteBehindHistory(History):
    """Until the log is open, ``epoch`` is empty, messages are numbered from 1, and reads answer None.

    Each time the log opens, the messages that it does not hold get new numbers, after its last one and in its epoch.
    Cursors of earlier epochs stay valid as far as those were committed; one beyond that gets the gap ``reset``.

    Args:
        log: the back end.
        on_fault: called with a problem of the log, and with None once it is solved.
        on_full: called with True while more waits to be written than should, then with False.
    """

    consumers: NamedConsumers

    def __init__(
        self,
        log: LogBackend,
        *,
        clock: Clock,
        on_fault: Callable[[str | None], None] = lambda text: None,
        on_full: Callable[[bool], None] = lambda full: None,
    ) -> None:
        super().__init__(WINDOW, clock=clock, epoch="")
        self._log = log
        self._on_fault, self._on_full = on_fault, on_full
        self._queue = WriteQueue()
        self.seen.unwritten = self._queue.seen
        self._skipped = -1  # the last number that is never written
        self._commit = Commit(0, None, None)
        self._past: dict[str, int] = {}
        self._origin = Cursor(0, 0, "")  # what cursors of the empty epoch count from
        self._full = self._overflowing = self._ended = self._awaited = False  # awaited: by a reader, a commit
        self._opened = asyncio.Event()
        self._writer = LogWriter(
            log, self._queue, clock.wall, opened=self._go_on, committed=self._committed, failed=self._failed
        )
        self._ahead = ReadAhead(log, committed=lambda: self.committed, loaded=self._wake, fault=on_fault)
        self.consumers = NamedConsumers(self, self._queue.consumers, self._writer.wake, clock)
        if log.state is not None:
            self.ended_at = log.state.written_at
            self._go_on(log.state)

    # what it holds

    @property
    def first(self) -> int:
        """The number of the oldest message that is kept; ``last + 1`` when none is."""
        oldest = self._commit.first
        unwritten = self._commit.last + 1  # it may have left the window, and wait to be written
        return min(super().first, unwritten if oldest is None else oldest)

    @property
    def committed(self) -> int:  # type: ignore[override]  # a history in memory never has one
        """The number of the last message that the log holds."""
        return self._commit.last

    def look(self) -> bool:
        """Open the log again if another program changed its files; False once the history has ended."""
        if not self._ended and not self._log.intact():
            self._writer.wake()
        return not self._ended

    async def opened(self) -> None:
        """Return once the log is open, so that a seek knows what it holds."""
        await self._opened.wait()

    # writing

    def limit(self, limits: HistoryLimits) -> None:
        """Keep more or less from now on."""
        self._log.limits = limits

    def keep(self, kept: Mapping[str, Any]) -> None:
        """Write the kept values of some namespaces in the commit of the messages before."""
        self._queue.keep(kept)
        self._writer.wake()

    def when_committed(self, number: int, then: Callable[[], None]) -> None:
        """Call a function once an appended message is committed; never, where the log could not take it."""
        if number > self._skipped:
            self._queue.waiting.append((number, then))

    def overflow(self) -> None:
        """Stop persisting until the write queue has drained."""
        self._overflowing = True

    def end(self) -> None:
        """Write what waits, and close the log; messages that only the log holds cannot be read any more."""
        self._stop()
        rest = self._rest()
        try:
            commit = self._log.end(rest, self._clock.wall())
        except WscliError as error:
            self._failed(error)
        else:
            if commit is not None:
                self._committed(commit, rest)

    async def close(self) -> None:
        """Write what waits, and close the log, without blocking the loop."""
        ended = self._ended
        await asyncio.wait(self._stop())
        if ended:
            return
        rest = self._rest()
        try:
            self._committed(await self._log.close(rest, self._clock.wall()), rest)
        except WscliError as error:
            self._failed(error)

    def _stop(self) -> list[asyncio.Task[None]]:
        self._ended = True
        self._writer.task.cancel()
        reading = self._ahead.end()
        return [self._writer.task] if reading is None else [self._writer.task, reading]

    def _rest(self) -> WriteBatch:
        if self.epoch:
            return self._queue.content()
        if self.last:
            self._on_fault(f"{self._log.name!r} was never opened: {self.last} messages are not kept")
        return WriteBatch()

    def _add_gap(self, gap: GapRecord) -> None:
        self._queue.gaps.append(self._gaps.add(gap))
        self._writer.wake()

    def _kept(self, batch: Batch) -> None:
        if self._overflowing:
            self._gaps.by_reason["disk"] += self._skipped != batch.first - 1
            self._skipped = batch.last
            return
        self._queue.add(batch)
        self._writer.wake()
        if self._queue.full:
            self._full = True
            self._on_full(True)

    def _dropped(self, batch: Batch) -> None:
        """Keep the gaps: the log still holds the messages around them."""

    def _failed(self, error: WscliError | None) -> None:
        self._on_fault(None if error is None else error.message)
        if error is not None:
            self.consumers.failed(error)

    def _committed(self, commit: Commit, batch: WriteBatch) -> None:
        self._queue.committed(batch)
        self._commit, self._dropped_at = commit, commit.dropped_at
        if commit.first is not None:
            self._gaps.forget_before(commit.first - 1)
        self.consumers.written()
        if self._full and self._queue.half_empty:
            self._full = self._overflowing = False
            self._on_full(False)
        if self._awaited or self.consumers.active:
            self._awaited = False
            self._wake()

    # opening

    def _go_on(self, state: LogState) -> None:
        """Number the messages that the log does not hold behind its last one."""
        committed = self._commit.last
        self._commit, self._dropped_at = state.commit, state.commit.dropped_at
        lossy = self._opened.is_set() and state.damage is not None
        if state.damage is not None:  # later: once the caller is ready to be told, and after the fault that led here
            asyncio.get_running_loop().call_soon(self._on_fault, state.damage)
        self.seen.restore(state.seen)
        if lossy:
            self.consumers.write_again()
            self._queue.keep_again()
        if state.epoch == self.epoch:
            if lossy:
                self.record_gap("disk", end=self._clock.wall())
            return
        late = not self.epoch and self.ended_at is None and state.written_at is not None
        if self.epoch:
            self._past[self.epoch] = committed
        self._past.update(state.past)
        shift = state.commit.last - committed
        self.epoch, self.last = state.epoch, self.last + shift
        window, self._end, self._horizon = self._queue.renumber(self._batches.after(committed), state, shift)
        self._batches = KeyedQueue()
        for batch in window:
            self._batches.put(batch.first, batch)
        self._skipped += shift
        counts = self._gaps.by_reason
        self._gaps = Gaps(state.gaps, state.gap_count)
        outage, now = [], self._clock.wall()
        if late:
            outage = [GapRecord(committed, "outage", start=state.written_at, end=window[0].ts if window else now)]
        elif lossy:
            outage = [GapRecord(committed, "disk", end=now)]
        self._queue.renumber_gaps(self._gaps, outage, shift)
        self._gaps.by_reason = counts
        counts.update(gap.reason for gap in outage)
        if not self._opened.is_set():
            self.kept.update(state.kept)
            self._queue.restore_kept(state.kept)
            self._origin = Cursor(state.commit.last, state.gap_count + late, self.epoch)
        self._ahead.clear()
        self.consumers.restore(state.consumers)
        self._opened.set()
        self._wake()

    # reading

    async def _first_since(self, ts: float) -> int | None:
        recent = await super()._first_since(ts)
        if recent is not None and recent > super().first:
            return recent
        found = await self._log.find(ts)
        return recent if found is None else max(found, self.first)

    def seek_after(self, position: Position) -> Start:
        """Begin with the message after a position, as a history in memory does.

        Numbers go on from one epoch to the next: a position of an earlier one is valid as far as that epoch was
        committed; from behind that, reading goes on there after the gap ``reset``.
        """
        epoch, seq = position
        committed = self._past.get(epoch)
        if epoch == self.epoch or committed is None:
            return super().seek_after(position)
        start = super().seek_after(Position(self.epoch, min(seq, committed)))
        return start if seq <= committed else start._replace(gap=GapRecord(committed, "reset"))

    def read(self, cursor: Cursor) -> ReadResult | None:
        """Return what comes next; None if nothing does yet, while it is read from the log, or until that is open."""
        if not self.epoch:
            return None
        if cursor.epoch != self.epoch:
            start = self._resumed(cursor)
            return self.read(start.cursor) if start.gap is None else ReadResult(start.gap, start.cursor)
        if super().first <= cursor.seq + 1 or cursor.seq + 1 < self.first or cursor.seq >= self.last:
            return super().read(cursor)
        gap = self._due_gap(cursor)
        if gap is not None:
            return gap
        number = cursor.seq + 1
        if number > self.committed and not self._ended:
            waiting = self._queue.next_from(number)
            if waiting == number:
                self._awaited = True
                return None
            end = super().first if waiting is None else min(waiting, super().first)
            return _behind(GapRecord(cursor.seq, "disk", missed=end - number), cursor)
        item = self._ahead.get(number)
        if item is None and self._ended:
            item = GapRecord(cursor.seq, "truncated", missed=super().first - number)
        return None if item is None else _behind(item, cursor)

    def lag(self, cursor: Cursor) -> float:
        """Return the share of the window between a cursor and the end: a reader behind the window loses nothing."""
        return super().lag(cursor) if super().first <= cursor.seq + 1 else 0.0

    def _resumed(self, cursor: Cursor) -> Start:
        """Translate a cursor of an earlier epoch."""
        if not cursor.epoch:
            seq, gaps, epoch = self._origin
            cursor = Cursor(seq + cursor.seq, min(gaps + cursor.gaps, self._gaps.count), epoch)
        return Start(cursor) if cursor.epoch == self.epoch else self.seek_after(Position(cursor.epoch, cursor.seq))


def _behind(item: Batch | GapRecord, cursor: Cursor) -> ReadResult:
    last = item.last if isinstance(item, Batch) else item.after + (item.missed or 0)
    return ReadResult(item, Cursor(last, cursor.gaps, cursor.epoch))
