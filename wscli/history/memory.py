"""A history in memory: gone with the manager, and so with a new epoch at each start."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import NamedTuple

from wscli.clock import Clock
from wscli.history.encode import EncodedCache
from wscli.history.engine import Consumers, Found
from wscli.history.gaps import Gaps
from wscli.history.limits import HistoryLimits
from wscli.history.records import Batch, Cursor, Gap, Position, Start
from wscli.history.shelf import Shelf

__all__ = ["BATCH_BYTES", "BATCH_MESSAGES", "Beginning", "MemoryHistory", "new_epoch"]

BATCH_BYTES = 256 << 10
"""Bytes of one batch at most, but for a single larger message."""
BATCH_MESSAGES = 2048
"""Messages of one batch at most: bounds what one encoding costs, however small the messages."""

_EPOCH = "abcdefghijklmnopqrstuvwxyz0123456789"


def new_epoch() -> str:
    """Draw an epoch: two are the same once in two thousand million times."""
    return "".join(secrets.choice(_EPOCH) for _ in range(6))


class Beginning(NamedTuple):
    """Where the numbering goes on from: nothing at first, or what an earlier run left."""

    gaps: Gaps
    last: int = 0
    end: int = 0
    """Bytes of all messages that ever came."""
    horizon: float = 0.0
    """The latest timestamp."""
    dropped_at: float | None = None
    """The latest timestamp of what was dropped."""


class MemoryHistory:
    """The window of the newest messages, as whole batches, and the gaps between them.

    At least ``keep`` messages stay, less than a batch more, and no more than ``max_size`` bytes of them; but the newest
    batch always stays, so that readers who keep up see it. All of it belongs to one thread, the loop's: appending wakes
    readers then and there.
    """

    consumers: Consumers | None = None
    """A position in it would mean nothing once the process is gone."""
    ended_at: float | None = None
    """When an earlier run wrote to it last: never."""
    committed: int | None = None
    """A crash would leave nothing."""

    def __init__(
        self, limits: HistoryLimits, *, clock: Clock, epoch: str | None = None, begin: Beginning | None = None
    ) -> None:
        self.epoch = new_epoch() if epoch is None else epoch
        self.encoded = EncodedCache()
        self._gaps, self.last, self._end, self._horizon, self._dropped_at = begin or Beginning(Gaps())
        self._limits = limits
        self._clock = clock
        self._batches: Shelf[Batch] = Shelf()
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

    # writing

    def append(self, payloads: list[bytes], kinds: bytes | None, *, backfill: bool = False) -> int:
        """Add messages that arrived together, and give their bytes; the list is the history's from now on.

        Args:
            payloads: the messages; those of text are UTF-8.
            kinds: None when all are text, else ``t`` or ``b`` for each.
            backfill: whether they were asked for after a gap, and did not come over the channel.

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
        """Say that messages may be, or are, missing after the newest one. Times are the wall clock's, in seconds."""
        self._add_gap(Gap(self.last, reason, start, end, missed, backfilled))
        self._wake()

    def limit(self, limits: HistoryLimits) -> None:
        """Keep more or less from now on."""
        self._limits = limits
        self._trim()

    def overflow(self) -> None:
        """Nothing of it waits for anything."""

    def end(self) -> None:
        """It is gone with its process."""

    async def close(self) -> None:
        """It is gone with its process."""

    def _put(self, payloads: list[bytes], kinds: bytes | None, size: int, ts: float, backfill: bool) -> None:
        batch = Batch(
            self.last + 1,
            ts,
            payloads,
            kinds,
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

    def _add_gap(self, gap: Gap) -> None:
        self._gaps.add(gap)

    def _kept(self, batch: Batch) -> None:
        """For an engine that keeps it elsewhere too: it was put into the window."""

    def _dropped(self, batch: Batch) -> None:
        """It, and everything before it, left the window."""
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
            return Start(Cursor(self.last, self._gaps.count))
        after = max(0, self.last - count)
        if after + 1 < self.first:
            return self._truncated(after, self.first - 1 - after)
        return Start(Cursor(after, self._gaps.before(after + 1)))

    async def seek_since(self, ts: float) -> Start:
        """Begin with the first message, or gap before it, at or after a wall-clock time."""
        found = self._batches.first_where(lambda batch: batch.horizon, ts)
        after = self.last if found is None else found[0] - 1
        if self._dropped_at is not None and self._dropped_at >= ts:
            return self._truncated(after, None)
        return Start(Cursor(after, self._gaps.before(after, ts)))

    def seek_after(self, position: Position) -> Start:
        """Begin with the message after a position, or the gaps that stand between.

        A position of another epoch, or of a message yet to come, begins with the oldest and the gap ``reset``; one
        from before the window, with the gap ``truncated``.
        """
        epoch, seq = position
        if epoch != self.epoch or seq > self.last:
            return self.seek_start()._replace(gap=Gap(self.first - 1, "reset"))
        if seq + 1 < self.first:
            return self._truncated(seq, self.first - 1 - seq)
        return self._start(seq)

    def read(self, cursor: Cursor) -> Found | None:
        """Give what comes next: a gap, or (the rest of) a batch; None when there is nothing yet.

        A cursor from before the window gets the gap ``lagged`` with the exact number of messages that it missed.
        """
        seq, gaps = cursor
        if seq + 1 < self.first:
            end = self.first - 1
            return Found(Gap(seq, "lagged", missed=end - seq), Cursor(end, max(gaps, self._gaps.before(end))))
        gap = self._due_gap(cursor)
        if gap is not None or seq >= self.last:
            return gap
        batch = self._batches.holding(seq + 1).part(seq + 1, self.last)
        return Found(batch, Cursor(batch.last, gaps))

    def _due_gap(self, cursor: Cursor) -> Found | None:
        """Give the next gap, if it stands before the next message."""
        found = self._gaps.following(cursor.gaps) if cursor.gaps < self._gaps.count else None
        if found is None or found[1].after > cursor.seq:
            return None
        return Found(found[1], Cursor(cursor.seq, found[0]))

    def lag(self, cursor: Cursor) -> float:
        """Say how much of the window lies between a cursor and the end, by count or by bytes."""
        behind = self.last - cursor.seq
        if behind <= 0:
            return 0.0
        if cursor.seq + 1 < self.first:
            return max(1.0, behind / self._limits.most_messages)
        size = self._end - self._batches.holding(cursor.seq + 1).offset
        return max(behind / self._limits.most_messages, size / self._limits.most_bytes)

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have a function called after each batch and gap; calling what is returned ends that."""
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
        return Start(Cursor(after, self._gaps.before(after)))

    def _truncated(self, after: int, missed: int | None) -> Start:
        end = self.first - 1
        if missed is None:
            after = end
        return Start(Cursor(end, self._gaps.before(end)), Gap(after, "truncated", missed=missed))


def _cuts(payloads: list[bytes]) -> Iterator[tuple[int, int]]:
    """Cut a list where a batch is full."""
    start = size = 0
    for index, payload in enumerate(payloads):
        size += len(payload)
        if index > start and (size > BATCH_BYTES or index - start == BATCH_MESSAGES):
            yield start, index
            start, size = index, len(payload)
    yield start, len(payloads)
