"""A history on disk: a memory history of the newest messages, and behind it a file that outlives the manager.

Readers who keep up never touch the file. What they lag by beyond the window is read back from it. A message has its
number and reaches readers before it is committed; named consumers see only what is.

What the file could not take, because the disk is full or too slow, leaves a hole: whoever reads there is told of a gap
``disk`` with the exact number of messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from wscli.clock import Clock
from wscli.database import DatabaseError
from wscli.history.engine import Found
from wscli.history.holes import Holes
from wscli.history.limits import HistoryLimits
from wscli.history.loader import Loader
from wscli.history.memory import MemoryHistory
from wscli.history.named import NamedConsumers
from wscli.history.records import Batch, Cursor, Gap, Position, Start
from wscli.history.store import Committed, Store, Work
from wscli.history.writer import Writer

__all__ = ["RECENT", "DiskHistory"]

RECENT = HistoryLimits(keep=10_000, max_size=8 << 20)
"""What is kept in memory too, for readers that keep up."""


class DiskHistory(MemoryHistory):
    """The numbering of a file goes on, and so does its epoch after a clean end.

    Args:
        path: the file, made if there is none.
        limits: how much of it is kept.
        on_fault: told what is wrong with the file, and None once it is mended.
        on_full: told that more waits to be written than should, and when it does not any more.

    Raises:
        DatabaseError: the file cannot be used, or is damaged.

    """

    def __init__(
        self,
        path: Path,
        limits: HistoryLimits,
        *,
        clock: Clock,
        on_fault: Callable[[str | None], None] = lambda text: None,
        on_full: Callable[[bool], None] = lambda full: None,
    ) -> None:
        self._store = Store(path, limits)
        facts = self._store.facts
        super().__init__(RECENT, clock=clock, epoch=facts.epoch, begin=self._store.beginning)
        self.ended_at = facts.at if facts.last or facts.gaps else None
        """When the file was written last before this run, on the wall clock; None where it holds nothing."""
        self._overflowing = False
        self._past = dict(facts.past)
        self._committed = self._store.committed
        self._holes = Holes()
        self._on_fault, self._on_full = on_fault, on_full
        self._full = self._ended = False
        self._awaited = False  # a reader waits for a commit
        self._loop = asyncio.get_running_loop()
        self._loader = Loader(path, committed=lambda: self.committed, loaded=self._wake, fault=on_fault)
        self._writer = Writer(
            self._store,
            wall=clock.wall,
            committed=lambda committed, work: self._tell(self._has_committed, committed, work),
            failed=lambda error: self._tell(self._has_failed, error),
        )
        self.consumers = self._consumers = NamedConsumers(self, self._store.consumers, self._writer.move, clock)
        if self._store.damaged:
            text = f"{str(path)!r} holds damaged gaps or positions; they are left out"
            self._loop.call_soon(on_fault, text)  # once whoever opens it is ready to be told

    # what it holds

    @property
    def first(self) -> int:
        """The number of the oldest message that is kept; ``last + 1`` when none is."""
        oldest = self._committed.first
        unwritten = self._committed.last + 1  # what left the window in memory may still wait to be written
        return min(super().first, unwritten if oldest is None else oldest)

    @property
    def committed(self) -> int:  # type: ignore[override]  # a memory history never has one
        """The number of the last message that is on disk."""
        return self._committed.last

    # writing

    def limit(self, limits: HistoryLimits) -> None:
        """Keep more or less from now on."""
        self._store.limits = limits

    def overflow(self) -> None:
        """Let what comes not be written, until what waits already is."""
        self._overflowing = True

    def end(self) -> None:
        """Write what waits, and end the thread; what is in the file alone is read no more."""
        self._ended = True
        self._loader.end()
        self._writer.close()

    async def close(self) -> None:
        """Do so while the loop goes on."""
        self._ended = True
        await self._loader.close()
        await self._loop.run_in_executor(None, self._writer.close)

    def _add_gap(self, gap: Gap) -> None:
        self._writer.add_gap(self._gaps.add(gap))

    def _kept(self, batch: Batch) -> None:
        if self._overflowing:
            if self._holes.add(batch.first, batch.last):
                self._gaps.by_reason["disk"] += 1
            return
        self._writer.add_batch(batch)
        if self._writer.full:
            self._full = True
            self._on_full(True)

    def _dropped(self, batch: Batch) -> None:
        """Leave its gaps: the file still has what stands around them."""

    def _has_committed(self, committed: Committed, work: Work) -> None:
        self._committed = committed
        self._dropped_at = committed.dropped_at
        if committed.first is not None:
            self._gaps.forget_before(committed.first - 1)
        self._consumers.written(work.consumers)
        if self._full and self._writer.half_empty:
            self._full = self._overflowing = False
            self._on_full(False)
        if self._awaited or self._consumers.active:
            self._awaited = False
            self._wake()

    def _has_failed(self, error: DatabaseError | None) -> None:
        self._on_fault(None if error is None else error.message)
        self._consumers.failed(error)

    def _tell(self, what: Callable[..., None], *facts: object) -> None:
        """Have the loop called from the writer's thread; one that has ended needs to know nothing."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(what, *facts)

    # reading

    async def seek_since(self, ts: float) -> Start:
        """Begin with the first message, or gap before it, at or after a wall-clock time."""
        recent = self._batches.first_where(lambda batch: batch.horizon, ts)
        if recent is not None and recent[0] > super().first:
            found: int | None = recent[0]
        else:
            found = await self._loader.since(ts)
            if found is None and recent is not None:
                found = recent[0]
            elif found is not None:
                found = max(found, self.first)
        after = self.last if found is None else found - 1
        if self._dropped_at is not None and self._dropped_at >= ts:
            return self._truncated(after, None)
        return Start(Cursor(after, self._gaps.before(after, ts)))

    def seek_after(self, position: Position) -> Start:
        """Begin with the message after a position, as of a memory history.

        Numbers go on from one epoch to the next, so that a position of an earlier one is good as far as that epoch was
        committed; from behind that, it goes on there after the gap ``reset``.
        """
        epoch, seq = position
        committed = self._past.get(epoch)
        if epoch == self.epoch or committed is None:
            return super().seek_after(position)
        start = super().seek_after(Position(self.epoch, min(seq, committed)))
        return start if seq <= committed else start._replace(gap=Gap(committed, "reset"))

    def read(self, cursor: Cursor) -> Found | None:
        """Give what comes next; None when there is nothing yet, or while it is read from the file."""
        if super().first <= cursor.seq + 1 or cursor.seq + 1 < self.first or cursor.seq >= self.last:
            return super().read(cursor)
        gap = self._due_gap(cursor)
        if gap is not None:
            return gap
        number = cursor.seq + 1
        hole = self._holes.ending(number)
        if hole is not None:
            return _behind(Gap(cursor.seq, "disk", missed=hole - cursor.seq), cursor)
        if number > self.committed:
            self._awaited = True
            return None
        item = self._loader.take(number)
        if item is None and self._ended:
            return _behind(Gap(cursor.seq, "truncated", missed=super().first - number), cursor)
        if item is None:
            return None
        return _behind(item, cursor) if isinstance(item, Gap) else Found(item, Cursor(item.last, cursor.gaps))

    def lag(self, cursor: Cursor) -> float:
        """Say how much of the window in memory lies between a cursor and the end: one behind it loses nothing."""
        return super().lag(cursor) if super().first <= cursor.seq + 1 else 0.0


def _behind(gap: Gap, cursor: Cursor) -> Found:
    return Found(gap, Cursor(gap.after + (gap.missed or 0), cursor.gaps))
