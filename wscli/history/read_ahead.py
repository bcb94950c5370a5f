"""Segments of a log, read and kept for readers that are behind the window in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from wscli.errors import WscliError
from wscli.history.log import LogBackend
from wscli.history.records import Batch, GapRecord

__all__ = ["ReadAhead"]

RETRY = 1.0
"""Seconds between two attempts to read a log that cannot be read at the moment."""
KEPT = 8 << 20
"""Bytes of messages kept for the readers that are about to ask for them."""


class ReadAhead:
    """Reads one segment at a time. ``loaded`` is called after each, ``fault`` with a problem, and None once solved."""

    def __init__(
        self,
        log: LogBackend,
        *,
        committed: Callable[[], int],
        loaded: Callable[[], None],
        fault: Callable[[str | None], None],
    ) -> None:
        self._log = log
        self._committed = committed
        self._loaded = loaded
        self._fault = fault
        self._items: dict[int, Batch | GapRecord] = {}  # by the first number, as it was or will be asked for
        self._size = 0
        self._wanted: list[int] = []
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    def get(self, number: int) -> Batch | GapRecord | None:
        """Return the item that begins with a number; None while it is read."""
        item = self._items.get(number)
        if item is None and number not in self._wanted and not self._ended:
            self._wanted.append(number)
            if self._task is None:
                self._task = asyncio.get_running_loop().create_task(self._load(), name=f"read {self._log.name}")
        return item

    def clear(self) -> None:
        """Forget everything: the numbers have changed."""
        self._items.clear()
        self._wanted.clear()
        self._size = 0

    def end(self) -> asyncio.Task[None] | None:
        """Read nothing more; return the task that ends now."""
        self._ended = True
        if self._task is not None:
            self._task.cancel()
        return self._task

    async def _load(self) -> None:
        failed = False
        try:
            while self._wanted:
                number = self._wanted[0]
                try:
                    segment = await self._log.read(number, self._committed())
                except WscliError as error:
                    failed = True
                    self._fault(error.message)
                    await asyncio.sleep(RETRY)
                    continue
                if segment.damage is not None:
                    self._fault(segment.damage)
                elif failed:
                    self._fault(None)
                failed = False
                if number in self._wanted:
                    self._put(number, segment.items)
                    self._wanted.remove(number)
                self._loaded()
        finally:
            self._task = None

    def _put(self, number: int, items: Sequence[Batch | GapRecord]) -> None:
        for item in items:
            self._drop(number)  # an overlapping segment may have it already
            self._items[number] = item
            if isinstance(item, GapRecord):
                number += item.missed or 0
            else:
                self._size += item.size
                number = item.last + 1
        while self._size > KEPT and len(self._items) > len(items):
            self._drop(next(iter(self._items)))

    def _drop(self, number: int) -> None:
        item = self._items.pop(number, None)
        self._size -= item.size if isinstance(item, Batch) else 0
