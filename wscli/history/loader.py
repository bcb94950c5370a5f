"""What a disk history reads back: in a thread, a stretch at a time, for readers that are behind the window."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from wscli.database import FAULTS, fault, lenient_text, may_pass
from wscli.history.records import Batch, Gap
from wscli.history.rows import read_batch

__all__ = ["Loader"]

STRETCH = 1 << 20
"""Bytes of messages that are read at once; a single batch may be more."""
_STRETCH = "SELECT * FROM batches WHERE last >= ? AND last <= ? ORDER BY last LIMIT 256"
RETRY = 1.0
"""Seconds after which a file is tried again that cannot be read at the moment."""
KEPT = 8 << 20
"""Bytes of messages that are kept for the readers that are about to ask for them."""


class Loader:
    """Reads the file by a connection of its own, while another writes it.

    Numbers that the file should have and has not, or holds damaged, come as a gap ``disk`` with their exact count.
    Where it cannot be read at the moment, since too many files are open say, whoever wants them waits.

    Args:
        path: the file.
        committed: gives the number of the last committed message.
        loaded: called on the loop once more is there.
        fault: called on the loop with what is wrong with the file, and with None once it is read again.

    """

    def __init__(
        self,
        path: Path,
        *,
        committed: Callable[[], int],
        loaded: Callable[[], None],
        fault: Callable[[str | None], None],
    ) -> None:
        self._path = path
        self._committed = committed
        self._loaded = loaded
        self._fault = fault
        self._database: sqlite3.Connection | None = None
        self._items: dict[int, Batch | Gap] = {}  # by the number that was, or will be, asked for
        self._size = 0
        self._wanted: list[int] = []
        self._task: asyncio.Task[None] | None = None
        self._ended = False

    def take(self, number: int) -> Batch | Gap | None:
        """Give what begins with a number; None: it is being read, and ``loaded`` will be called."""
        item = self._items.get(number)
        if item is None and number not in self._wanted and not self._ended:
            self._wanted.append(number)
            if self._task is None:
                self._task = asyncio.get_running_loop().create_task(self._load(), name=f"read {self._path.name}")
        return item

    async def since(self, ts: float) -> int | None:
        """Give the first number at or after a time, or 0 where the file cannot say; None where it has none."""
        return await asyncio.get_running_loop().run_in_executor(None, self._since, ts)

    def end(self) -> None:
        """Read nothing more; what is being read is the last."""
        self._ended = True
        if self._task is None and self._database is not None:
            self._database.close()
            self._database = None

    async def close(self) -> None:
        """Read nothing more, and return once nothing is being read."""
        self.end()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _load(self) -> None:
        loop, failed = asyncio.get_running_loop(), False
        try:
            while self._wanted and not self._ended:
                number, upto = self._wanted[0], self._committed()
                items, wrong = await loop.run_in_executor(None, self._read, number, upto)
                if wrong is not None:
                    self._fault(wrong)
                elif failed:
                    self._fault(None)
                if failed := items is None:
                    await asyncio.sleep(RETRY)
                    continue
                self._put(number, items or [])
                self._wanted.remove(number)
                self._loaded()
        finally:
            self._task = None
            if self._ended:
                self.end()

    def _put(self, number: int, items: list[Batch | Gap]) -> None:
        for item in items:
            self._items[number] = item
            if isinstance(item, Gap):
                number += item.missed or 0
            else:
                self._size += item.size
                number = item.last + 1
        while self._size > KEPT and len(self._items) > len(items):
            oldest = self._items.pop(next(iter(self._items)))
            self._size -= oldest.size if isinstance(oldest, Batch) else 0

    # in a thread, one call at a time

    def _connect(self) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        database = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        database.text_factory = lenient_text
        return database

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = self._connect()
            self._database.execute("PRAGMA query_only=ON")
        return self._database

    def _read(self, number: int, upto: int) -> tuple[list[Batch | Gap] | None, str | None]:
        """Give what begins with a number, up to a stretch, without a hole between; and what is wrong with the file.

        None instead of items: it cannot be read at the moment.
        """
        items: list[Batch | Gap] = []
        size, wrong = 0, None
        try:
            for row in self._open().execute(_STRETCH, (number, upto)):
                batch = read_batch(row)
                if batch is None or batch.last < number:
                    wrong = f"{str(self._path)!r} holds damaged records"
                    continue
                if batch.first > number:
                    items.append(_hole(number, batch.first - 1))
                items.append(batch.part(number, batch.last))
                number, size = batch.last + 1, size + batch.size
                if size >= STRETCH:
                    return items, wrong
        except FAULTS as error:
            wrong = fault(self._path, error).message
            if not items and may_pass(self._path, error):
                return None, wrong
        if not items and number <= upto:
            items.append(_hole(number, self._next_after(number, upto) - 1))
        return items, wrong

    def _next_after(self, number: int, upto: int) -> int:
        """Look for the next row that can be read, past those that cannot; behind the last where there is none."""
        step = 1
        while number + step <= upto:
            try:
                for row in self._open().execute(_STRETCH, (number + step, upto)):
                    batch = read_batch(row)
                    if batch is not None and batch.last >= number + step:
                        return max(number + 1, batch.first)
            except FAULTS:
                pass  # the page of that row too: look further on
            step *= 2
        return upto + 1

    def _since(self, ts: float) -> int | None:
        """Search the rows by halves: their latest timestamps never fall."""
        found = None
        try:
            with closing(self._connect()) as database:
                low, high = database.execute(
                    "SELECT coalesce(min(last), 1), coalesce(max(last), 0) FROM batches"
                ).fetchone()
                while low <= high:
                    middle = (low + high) // 2
                    query = "SELECT last, first, horizon FROM batches WHERE last >= ? ORDER BY last LIMIT 1"
                    row = database.execute(query, (middle,)).fetchone()
                    if row is None or row[2] >= ts:
                        found, high = (found if row is None else int(row[1])), middle - 1
                    else:
                        low = row[0] + 1
        except (*FAULTS, TypeError, ValueError):
            return 0  # reading it says what is wrong
        return found


def _hole(first: int, last: int) -> Gap:
    return Gap(first - 1, "disk", missed=last - first + 1)
