"""What a write-behind history has not committed yet, and the task that commits it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from wscli.errors import WscliError
from wscli.history.gaps import Gaps, NumberedGap
from wscli.history.log import Commit, ConsumerPosition, LogBackend, LogFenced, LogState, WriteBatch
from wscli.history.records import Batch, GapRecord

__all__ = ["FULL_BATCHES", "FULL_BYTES", "LogWriter", "WriteQueue"]

FULL_BYTES = 16 << 20
FULL_BATCHES = 16_384
"""The queue is full beyond either."""
GROUP = 0.01
"""Seconds between two commits at least: a commit costs the disk the same, whatever it holds."""
RETRY = 1.0
"""Seconds after which opening or appending is tried again."""
IDLE = 30.0
"""Seconds after which retention by age is applied, where nothing else is written."""


class WriteQueue:
    """Batches, gaps, consumer positions, digests and kept values; they stay until they are committed."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.gaps: list[NumberedGap] = []
        self.consumers: dict[str, ConsumerPosition | None] = {}
        self.seen: OrderedDict[bytes, None] = OrderedDict()
        self.kept: Mapping[str, Any] | None = None
        self._kept_last: dict[str, Any] = {}
        self.waiting: list[tuple[int, Callable[[], None]]] = []
        """What to call once a message is committed, by its number."""
        self._writing: Mapping[str, Any] | None = None
        """The kept values that are being written."""
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self.batches or self.gaps or self.consumers or self.kept is not None)

    @property
    def full(self) -> bool:
        """Whether reading should pause."""
        return self._size > FULL_BYTES or len(self.batches) > FULL_BATCHES

    @property
    def half_empty(self) -> bool:
        """Whether the log has caught up after the queue was full."""
        return self._size <= FULL_BYTES // 2 and len(self.batches) <= FULL_BATCHES // 2

    def add(self, batch: Batch) -> None:
        """Add a batch."""
        self.batches.append(batch)
        self._size += batch.size

    def keep(self, kept: Mapping[str, Any]) -> None:
        """Have the kept values of some namespaces written with what was added before."""
        self._kept_last = {**self._kept_last, **kept}
        self.kept = self._kept_last

    def restore_kept(self, kept: Mapping[str, Any]) -> None:
        """Go on from the kept values of a log."""
        self._kept_last = {**kept, **self._kept_last}

    def keep_again(self) -> None:
        """Have them written again: the log lost them."""
        self.kept = self._kept_last

    def next_from(self, number: int) -> int | None:
        """Return the first number at or after another that waits here; None if there is none."""
        index = bisect_left(self.batches, number, key=lambda batch: batch.last)
        return max(number, self.batches[index].first) if index < len(self.batches) else None

    def content(self) -> WriteBatch:
        """Return everything, to be committed."""
        self._writing = self.kept
        kept = None if self.kept is None else json.dumps(self.kept, separators=(",", ":"), default=_text)
        return WriteBatch(self.batches.copy(), self.gaps.copy(), self.consumers.copy(), tuple(self.seen), kept)

    def committed(self, batch: WriteBatch) -> None:
        """Remove what was committed."""
        del self.batches[: len(batch.batches)]
        del self.gaps[: len(batch.gaps)]
        self._size -= sum(one.size for one in batch.batches)
        for name, position in batch.consumers.items():
            if name in self.consumers and self.consumers[name] is position:
                del self.consumers[name]
        for digest in batch.seen:
            self.seen.pop(digest, None)
        if self.kept is self._writing:
            self.kept = None
        last = batch.batches[-1].last if batch.batches else 0
        written = [then for number, then in self.waiting if number <= last]
        del self.waiting[: len(written)]
        for then in written:
            then()

    def renumber(self, window: list[Batch], state: LogState, shift: int) -> tuple[list[Batch], int, float]:
        """Move the batches here and in a window of the newest behind what a log holds.

        Returns the new window, the bytes of all messages, and their latest timestamp.
        """
        batches = {batch.first: batch for batch in (*self.batches, *window)}
        end, horizon = state.end, state.horizon
        for number in sorted(batches):
            batch = batches[number] = batches[number].renumbered(state.epoch, number + shift, end, horizon)
            end, horizon = end + batch.size, batch.horizon
        self.batches = [batches[batch.first] for batch in self.batches]
        self.waiting = [(number + shift, then) for number, then in self.waiting]
        return [batches[batch.first] for batch in window], end, horizon

    def renumber_gaps(self, gaps: Gaps, before: list[GapRecord], shift: int) -> None:
        """Move the gaps behind those that a log holds, and behind others."""
        merged = {one.instead_of for one in self.gaps}
        unwritten = [one.gap for one in self.gaps if one.number not in merged]
        self.gaps = [gaps.add(gap._replace(after=gap.after + shift)) for gap in (*before, *unwritten)]


def _text(value: object) -> str:
    """Give what JSON cannot hold, such as the bytes of a binary message, as text."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


class LogWriter:
    """The task that commits what a queue holds, and opens the log: at first, and again once another owner fenced it.

    Args:
        log: the back end.
        wall: seconds since the epoch.
        opened: called with what the log holds, where it was not open before.
        committed: called after each commit with what it wrote.
        failed: called with each error, and with None once an attempt succeeds again.
    """

    def __init__(
        self,
        log: LogBackend,
        queue: WriteQueue,
        wall: Callable[[], float],
        *,
        opened: Callable[[LogState], None],
        committed: Callable[[Commit, WriteBatch], None],
        failed: Callable[[WscliError | None], None],
    ) -> None:
        self._log = log
        self._queue = queue
        self._wall = wall
        self._opened, self._committed, self._failed = opened, committed, failed
        self._is_open = log.state is not None
        self._failing = False
        self._work = asyncio.Event()
        self.task = asyncio.get_running_loop().create_task(self._run(), name=f"write {log.name}")

    def wake(self) -> None:
        """Commit what the queue holds."""
        self._work.set()

    async def _run(self) -> None:
        while True:
            try:
                await self._step()
            except WscliError as error:
                self._failing = True
                self._is_open = self._is_open and not isinstance(error, LogFenced)
                self._failed(error)
                await asyncio.sleep(RETRY)
            except Exception as error:
                self._failed(WscliError(f"{self._log.name!r} is not written any more: {error!r}", "see `wscli logs`"))
                raise
            else:
                await asyncio.sleep(GROUP)

    async def _step(self) -> None:
        if not self._is_open:
            self._opened(await self._log.open())
            self._is_open = True
            self._mended()
        if not self._queue:
            self._work.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if self._log.limits.max_age is None else IDLE):
                    await self._work.wait()
        batch = self._queue.content()
        commit = await self._log.append(batch, self._wall())
        self._mended()
        self._committed(commit, batch)

    def _mended(self) -> None:
        if self._failing:
            self._failing = False
            self._failed(None)
