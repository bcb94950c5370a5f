"""The log file as its readers see it: a connection of its own, while another one writes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from threading import Lock

from wscli.database.opening import FAULTS, fault, lenient_text, may_pass
from wscli.history.log import LogSegment
from wscli.history.records import Batch, GapRecord
from wscli.history.sqlite.rows import read_batch

__all__ = ["LogReader"]

SEGMENT = 1 << 20
"""Bytes of messages read at once; a single batch may be more."""
_SEGMENT = "SELECT * FROM batches WHERE last >= ? AND last <= ? ORDER BY last LIMIT 256"


class LogReader:
    """Reads segments and finds times; numbers that are missing or damaged become a gap ``disk`` with their count."""

    def __init__(self, path: Path, epoch: str) -> None:
        self._path = path
        self._epoch = epoch
        self._lock = Lock()
        self._database: sqlite3.Connection | None = None
        self._closed = False

    def read(self, number: int, upto: int) -> LogSegment:
        """Read from a number on, up to a segment.

        Raises:
            DatabaseError: the file cannot be read at the moment (too many open files, for example).
        """
        with self._lock:
            return LogSegment(()) if self._closed else self._read(number, upto)

    def close(self) -> None:
        """Close the connection once no read is running."""
        with self._lock:
            self._closed = True
            if self._database is not None:
                self._database.close()

    def find(self, ts: float) -> int | None:
        """Find the first number at or after a time by bisection, since the rows' latest timestamps never fall.

        None if there is none; 0 if the file cannot say.
        """
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
            return 0  # reading it reports the damage
        return found

    def _connect(self) -> sqlite3.Connection:
        uri = f"{self._path.absolute().as_uri()}?mode=rw"
        database = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        database.text_factory = lenient_text
        database.execute("PRAGMA query_only=ON")
        return database

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            self._database = self._connect()
        return self._database

    def _read(self, number: int, upto: int) -> LogSegment:
        items: list[Batch | GapRecord] = []
        size, damage = 0, None
        try:
            for row in self._open().execute(_SEGMENT, (number, upto)):
                batch = read_batch(row, self._epoch)
                if batch is None or batch.last < number:
                    damage = f"{str(self._path)!r} holds damaged records"
                    continue
                if batch.first > number:
                    items.append(_gap(number, batch.first - 1))
                items.append(batch.part(number, batch.last))
                number, size = batch.last + 1, size + batch.size
                if size >= SEGMENT:
                    return LogSegment(items, damage)
        except FAULTS as error:
            refusal = fault(self._path, error)
            if not items and may_pass(self._path, error):
                raise refusal from None
            damage = refusal.message
        if not items and number <= upto:
            items.append(_gap(number, self._next_readable(number, upto) - 1))
        return LogSegment(items, damage)

    def _next_readable(self, number: int, upto: int) -> int:
        """Return the first number of the next readable row; ``upto + 1`` if there is none."""
        step = 1
        while number + step <= upto:
            try:
                for row in self._open().execute(_SEGMENT, (number + step, upto)):
                    batch = read_batch(row, self._epoch)
                    if batch is not None and batch.last >= number + step:
                        return max(number + 1, batch.first)
            except FAULTS:
                pass  # the page of that row is damaged too
            step *= 2
        return upto + 1


def _gap(first: int, last: int) -> GapRecord:
    return GapRecord(first - 1, "disk", missed=last - first + 1)
