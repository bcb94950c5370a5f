"""The history of a channel: numbered messages and gaps, which every reader reads by a cursor of its own.

This one keeps them in memory: they end with the manager, and each start has a new epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from wscli.clock import Clock
from wscli.history.consumers import NamedConsumers
from wscli.history.encode import EncodedCache
from wscli.history.gaps import Gaps
from wscli.history.keyed_queue import KeyedQueue
from wscli.history.limits import HistoryLimits
from wscli.history.records import Batch, Cursor, GapRecord, Position, ReadResult, Start, new_epoch
from wscli.history.seen import SeenDigests

__all__ = ["BATCH_BYTES", "BATCH_MESSAGES", "History"]

BATCH_BYTES = 256 << 10
"""Bytes of one batch at most, but for a single larger message."""
BATCH_MESSAGES = 2048
"""Messages of one batch at most: bounds what one encoding costs, however small the messages."""


class History:
    """The window of the newest messages, as whole batches, and the gaps between them.

    At least ``keep`` messages stay, less than a batch more, and no more than ``max_size`` bytes of them; but the newest
    batch always stays, so that readers who keep up see it. All of it belongs to one thread, the loop's: appending wakes
    readers then and there.
    """

    consumers: NamedConsumers | None = None
    """Its named consumers; None, since positions in memory end with the process."""
    ended_at: float | None = None
    """Last write of an earlier run, by the wall clock; None where the history begins empty."""
    committed: int | None = None
    """The number of the last message that survives a crash; None where none does."""

    def __init__(self, limits: HistoryLimits, *, clock: Clock, epoch: str | None = None) -> None:
        self.epoch = new_epoch() if epoch is None else epoch
        self.encoded = EncodedCache()
        self.seen = SeenDigests()
        """Digests of what identifies its messages, where duplicates are dropped; kept as long as the history is."""
        self.kept: dict[str, dict[str, Any]] = {}
        """What a session keeps beside the messages, by namespace; the session's own, and written by ``keep``."""
        self.last = 0
        self._gaps = Gaps()
        self._end = 0  # bytes of all messages ever appended
        self._horizon = 0.0  # their latest timestamp
        self._dropped_at: float | None = None  # the latest timestamp of dropped messages
        self._limits = limits
        self._clock = clock
        self._batches: KeyedQueue[Batch] = KeyedQueue()
        self._wakes: tuple[Callable[[], None], ...] = ()

    # what it holds

    @property
    def first(self) -> int:
        """The number of the oldest message that is kept; ``last + 1`` when none is."""
        return self._batches.first_key() if len(self._batches) else self.last + 1

    @property
    def size(self) -> int:
        """Bytes of the messages that are kept."""
        return self._end - self._batches.first().offset if len(self._batches) else 0

    @property
    def gaps(self) -> dict[str, int]:
        """How many gaps were recorded, by reason."""
        return dict(self._gaps.by_reason)

    async def opened(self) -> None:
        """Return once a seek knows what is kept; in memory: at once."""

    # writing

    def append(self, payloads: list[bytes], kinds: bytes | None, *, backfill: bool = False) -> int:
        """Add messages that arrived together, and return their size in bytes. The caller gives the list away.

        Args:
            payloads: the messages; those of text are UTF-8.
            kinds: None when all are text, else ``t`` or ``b`` for each.
            backfill: whether they were requested after a gap.
        """
        now = self._clock.wall()
        size = sum(map(len, payloads))
        if size <= BATCH_BYTES and len(payloads) <= BATCH_MESSAGES:
            if payloads:
                self._put(payloads, kinds, size, now, backfill)
            return size
        for start, stop in _cuts(payloads):
            part = payloads[start:stop]
            self._put(part, None if kinds is None else kinds[start:stop], sum(map(len, part)), now, backfill)
        return size

    def record_gap(
        self,
        reason: str,
        *,
        start: float | None = None,
        end: float | None = None,
        missed: int | None = None,
        backfilled: int | None = None,
    ) -> None:
        """Record that messages may be, or are, missing after the newest one; times are seconds by the wall clock."""
        self._add_gap(GapRecord(self.last, reason, start, end, missed, backfilled))
        self._wake()

    def keep(self, kept: Mapping[str, Any]) -> None:
        """Write the kept values of some namespaces in the commit of the messages before; in memory: nothing."""

    def when_committed(self, number: int, then: Callable[[], None]) -> None:
        """Call a function once an appended message is committed, or never; in memory: at once."""
        then()

    def limit(self, limits: HistoryLimits) -> None:
        """Keep more or less from now on."""
        self._limits = limits
        self._trim()

    def overflow(self) -> None:
        """Stop persisting until the write queue has drained; in memory: nothing."""

    def end(self) -> None:
        """Persist what waits, and close, before this returns where possible; in memory: nothing."""

    async def close(self) -> None:
        """Persist what waits, and close, without blocking the loop; in memory: nothing."""

    def _put(self, payloads: list[bytes], kinds: bytes | None, size: int, ts: float, backfill: bool) -> None:
        batch = Batch(
            self.last + 1,
            ts,
            payloads,
            kinds,
            epoch=self.epoch,
            size=size,
            offset=self._end,
            horizon=self._horizon,
            backfill=backfill,
        )
        self._batches.put(batch.first, batch)
        self.last = batch.last
        self._end += size
        self._horizon = batch.horizon
        self._kept(batch)
        self._trim()
        self._wake()

    def _add_gap(self, gap: GapRecord) -> None:
        self._gaps.add(gap)

    def _kept(self, batch: Batch) -> None:
        """Persist a batch that was put into the window (overridden)."""

    def _dropped(self, batch: Batch) -> None:
        """Forget the gaps before a batch, the last that left the window."""
        self._dropped_at = batch.horizon
        self._gaps.forget_before(batch.last)

    def _trim(self) -> None:
        keep, max_size = self._limits.most_messages, self._limits.most_bytes
        horizon = self._limits.horizon(self._horizon)
        dropped: Batch | None = None
        while len(self._batches) > 1:
            oldest = self._batches.first()
            if self._end - oldest.offset <= max_size and self.last - oldest.last < keep and oldest.horizon >= horizon:
                break
            dropped = oldest
            self._batches.drop_first()
        if dropped is not None:
            self._dropped(dropped)

    # reading

    def seek_start(self) -> Start:
        """Begin with the oldest that is kept."""
        return self._start(self.first - 1)

    def seek_last(self, count: int) -> Start:
        """Begin ``count`` messages before the end; 0 begins with the next to come, after the gaps so far."""
        if count == 0:
            return Start(Cursor(self.last, self._gaps.count, self.epoch))
        after = max(0, self.last - count)
        if after + 1 < self.first:
            return self._truncated(after, self.first - 1 - after)
        return Start(Cursor(after, self._gaps.before(after + 1), self.epoch))

    async def seek_since(self, ts: float) -> Start:
        """Begin with the first message, or gap before it, at or after a wall-clock time."""
        found = await self._first_since(ts)
        after = self.last if found is None else found - 1
        if self._dropped_at is not None and self._dropped_at >= ts:
            return self._truncated(after, None)
        return Start(Cursor(after, self._gaps.before(after, ts), self.epoch))

    async def _first_since(self, ts: float) -> int | None:
        """Return the number of the first message at or after a time."""
        found = self._batches.first_where(lambda batch: batch.horizon, ts)
        return None if found is None else found[0]

    def seek_after(self, position: Position) -> Start:
        """Begin with the message after a position, or the gaps that stand between.

        A position of another epoch, or of a message yet to come, begins with the oldest and the gap ``reset``; one
        from before the window, with the gap ``truncated``.
        """
        epoch, seq = position
        if epoch != self.epoch or seq > self.last:
            return self.seek_start()._replace(gap=GapRecord(self.first - 1, "reset"))
        if seq + 1 < self.first:
            return self._truncated(seq, self.first - 1 - seq)
        return self._start(seq)

    def read(self, cursor: Cursor) -> ReadResult | None:
        """Return the next gap, or (the rest of) the next batch; None if there is none yet.

        A cursor from before the window gets the gap ``lagged`` with the exact number of messages that it missed.
        """
        seq, gaps, epoch = cursor
        if seq >= self.last and gaps >= self._gaps.count:
            return None
        if seq + 1 < self.first:
            end = self.first - 1
            return ReadResult(
                GapRecord(seq, "lagged", missed=end - seq), Cursor(end, max(gaps, self._gaps.before(end)), epoch)
            )
        due = self._due_gap(cursor)
        if due is not None or seq >= self.last:
            return due
        batch = self._batches.holding(seq + 1).part(seq + 1, self.last)
        return ReadResult(batch, Cursor(batch.last, gaps, epoch))

    def _due_gap(self, cursor: Cursor) -> ReadResult | None:
        """Return the next gap, if it comes before the next message."""
        found = self._gaps.following(cursor.gaps) if cursor.gaps < self._gaps.count else None
        if found is None or found[1].after > cursor.seq:
            return None
        return ReadResult(found[1], Cursor(cursor.seq, found[0], cursor.epoch))

    def lag(self, cursor: Cursor) -> float:
        """Return the share of the window between a cursor and the end, by count or bytes; at 1 it loses messages."""
        behind = self.last - cursor.seq
        if behind <= 0:
            return 0.0
        if cursor.seq + 1 < self.first:
            return max(1.0, behind / self._limits.most_messages)
        size = self._end - self._batches.holding(cursor.seq + 1).offset
        return max(behind / self._limits.most_messages, size / self._limits.most_bytes)

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call a function whenever there is more to read; return the function that ends this."""
        self._wakes = (*self._wakes, wake)

        def unsubscribe() -> None:
            self._wakes = tuple(one for one in self._wakes if one is not wake)
            if not self._wakes:
                self.encoded.clear()

        return unsubscribe

    def _wake(self) -> None:
        for wake in self._wakes:
            wake()

    def _start(self, after: int) -> Start:
        return Start(Cursor(after, self._gaps.before(after), self.epoch))

    def _truncated(self, after: int, missed: int | None) -> Start:
        end = self.first - 1
        if missed is None:
            after = end
        return Start(Cursor(end, self._gaps.before(end), self.epoch), GapRecord(after, "truncated", missed=missed))


def _cuts(payloads: list[bytes]) -> Iterator[tuple[int, int]]:
    start = size = 0
    for index, payload in enumerate(payloads):
        size += len(payload)
        if index > start and (size > BATCH_BYTES or index - start == BATCH_MESSAGES):
            yield start, index
            start, size = index, len(payload)
    yield start, len(payloads)
