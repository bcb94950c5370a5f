"""The thread that writes a disk history: what gathered while one commit was under way is the next one."""

from __future__ import annotations

import threading
from collections.abc import Callable

from wscli.database import DatabaseError
from wscli.history.gaps import Numbered
from wscli.history.records import Batch
from wscli.history.store import Committed, Held, Store, Work

__all__ = ["FULL_BATCHES", "FULL_BYTES", "GROUP", "Writer"]

GROUP = 0.01
"""Seconds between two commits at least: a commit costs the disk the same, whatever it holds."""
RETRY = 1.0
"""Seconds after which a commit that failed is tried again."""
FULL_BYTES = 16 << 20
FULL_BATCHES = 16_384
"""What may wait to be written: beyond either it is full."""
IDLE = 30.0
"""Seconds after which retention by age is looked at, where nothing else is to be written."""


class Writer:
    """Takes work from the loop, and reports from its thread.

    Args:
        store: the file, this thread's alone from now on.
        wall: seconds since the epoch.
        committed: called in the thread after each commit, with what it kept.
        failed: called in the thread when a commit fails, and with None when one succeeds again.

    """

    def __init__(
        self,
        store: Store,
        *,
        wall: Callable[[], float],
        committed: Callable[[Committed, Work], None],
        failed: Callable[[DatabaseError | None], None],
    ) -> None:
        self._store = store
        self._wall = wall
        self._committed = committed
        self._failed = failed
        self._ready = threading.Condition()
        self._batches: list[Batch] = []
        self._gaps: list[Numbered] = []
        self._consumers: dict[str, Held | None] = {}
        self._waiting_bytes = self._waiting_batches = 0
        self._closing = self._fails = False
        self._thread = threading.Thread(target=self._run, name=f"history {store.path.name}", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether more waits than should."""
        return self._waiting_bytes > FULL_BYTES or self._waiting_batches > FULL_BATCHES

    @property
    def half_empty(self) -> bool:
        """Whether it has caught up after it was full."""
        return self._waiting_bytes <= FULL_BYTES // 2 and self._waiting_batches <= FULL_BATCHES // 2

    def add_batch(self, batch: Batch) -> None:
        """Have a batch written, after everything given before."""
        with self._ready:
            self._batches.append(batch)
            self._waiting_bytes += batch.size
            self._waiting_batches += 1
            self._ready.notify()

    def add_gap(self, gap: Numbered) -> None:
        """Have a gap written."""
        with self._ready:
            self._gaps.append(gap)
            self._ready.notify()

    def move(self, name: str, held: Held | None) -> None:
        """Have a consumer's position written; of several the last alone."""
        with self._ready:
            self._consumers[name] = held
            self._ready.notify()

    def close(self) -> None:
        """Write what waits, come to a clean end, and return once the thread has ended.

        What cannot be written is tried once more, and then given up: the next start begins a new epoch.
        """
        with self._ready:
            self._closing = True
            self._ready.notify()
        self._thread.join()

    # in the thread

    def _run(self) -> None:
        work, closing = Work(), False
        while not closing:
            with self._ready:
                if work == Work():
                    self._ready.wait_for(self._has_work, None if self._store.limits.max_age is None else IDLE)
                work, closing = self._gathered(work), self._closing
            if self._write(work):
                work, pause = Work(), GROUP
            else:
                pause = RETRY
            if not closing:
                with self._ready:
                    self._ready.wait_for(lambda: self._closing, pause)
        try:
            self._store.close(self._wall())
        except DatabaseError as error:
            self._failed(error)

    def _has_work(self) -> bool:
        return bool(self._closing or self._batches or self._gaps or self._consumers)

    def _gathered(self, before: Work) -> Work:
        """Take what waits, behind what could not be written before."""
        work = Work(
            [*before.batches, *self._batches], [*before.gaps, *self._gaps], {**before.consumers, **self._consumers}
        )
        self._batches, self._gaps, self._consumers = [], [], {}
        return work

    def _write(self, work: Work) -> bool:
        try:
            committed = self._store.write(work, self._wall())
        except DatabaseError as error:
            self._fails = True
            self._failed(error)
            return False
        with self._ready:
            self._waiting_bytes -= sum(batch.size for batch in work.batches)
            self._waiting_batches -= len(work.batches)
        if self._fails:
            self._fails = False
            self._failed(None)
        self._committed(committed, work)
        return True
