"""The file of a disk history, as whoever writes it sees it: one transaction for what has gathered, and its retention.

It knows no thread and no loop. Numbers go on from the last committed record; an unclean end begins a new epoch, since
numbers behind that record may have been seen by readers and will be given again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from wscli.database import FAULTS, DatabaseError, Kind, fault, open_database, transaction
from wscli.history.gaps import Gaps, Numbered
from wscli.history.limits import HistoryLimits
from wscli.history.memory import Beginning, new_epoch
from wscli.history.records import Batch, Cursor
from wscli.history.rows import SCHEMA, UPGRADES, batch_row, checked, gap_row, read_gap, read_position

__all__ = ["KIND", "Committed", "Facts", "Held", "Store", "Work"]

KIND = Kind(0x77734831, 2, SCHEMA, UPGRADES)
EPOCHS = 64
"""Earlier epochs that are remembered, so that a position of one is still understood."""
TRIM_ROWS = 64
"""Rows that one commit drops beside as many as twice those that it adds: retention never stalls."""


@dataclass(slots=True)
class Facts:
    """What is true of the file as a whole; the row ``meta``."""

    epoch: str
    last: int = 0
    end: int = 0
    horizon: float = 0.0
    dropped_at: float | None = None
    gaps: int = 0
    """How many gaps there ever were."""
    at: float | None = None
    """When it was written last, on the wall clock; None: never."""
    clean: bool = False
    """Whether whoever wrote it last came to an end of its own."""
    past: list[tuple[str, int]] = field(default_factory=list)
    """Earlier epochs, each with the number of its last committed record."""


class Held(NamedTuple):
    """Where a consumer is, and since when."""

    cursor: Cursor
    moved_at: float


class Work(NamedTuple):
    """What one transaction is to keep."""

    batches: Sequence[Batch] = ()
    gaps: Sequence[Numbered] = ()
    consumers: Mapping[str, Held | None] = {}
    """Positions by name; None forgets the consumer."""


class Committed(NamedTuple):
    """What is on disk after a commit."""

    last: int
    first: int | None
    """The number of the oldest message; None where none is kept."""
    dropped_at: float | None


class Store:
    """A file that one owner writes.

    Raises:
        DatabaseError: it cannot be opened, is damaged, or is none of ours.

    """

    def __init__(self, path: Path, limits: HistoryLimits) -> None:
        self.path = path
        self.limits = limits
        self._database = open_database(path, KIND, sync=limits.sync)
        try:
            self.facts = self._begin()
            self._first = self._oldest()
            self.gaps, self.consumers, self.damaged = self._read_rest()
            self._commit_facts(self.facts, self.facts.at)
        except FAULTS as error:
            self._database.close()
            raise fault(path, error) from None
        except BaseException:
            self._database.close()
            raise

    @property
    def committed(self) -> Committed:
        """What is on disk."""
        return Committed(self.facts.last, self._first, self.facts.dropped_at)

    @property
    def beginning(self) -> Beginning:
        """Where the numbering goes on from."""
        facts = self.facts
        return Beginning(Gaps(self.gaps, facts.gaps), facts.last, facts.end, facts.horizon, facts.dropped_at)

    def write(self, work: Work, now: float) -> Committed:
        """Keep some work, durably once this returns, and drop what is beyond the limits.

        Raises:
            DatabaseError: nothing of it was kept.

        """
        facts = self._after(work)
        try:
            with transaction(self._database):
                self._insert(work)
                first = self._drop_old(facts, now, 2 * len(work.batches) + TRIM_ROWS)
                self._write_facts(facts, now)
        except FAULTS as error:
            raise fault(self.path, error) from None
        self.facts, self._first = facts, first
        return self.committed

    def close(self, now: float) -> None:
        """Come to a clean end.

        Raises:
            DatabaseError: the end could not be written, so that the next start begins a new epoch.

        """
        try:
            self.facts.clean = True
            self._commit_facts(self.facts, now)
        except FAULTS as error:
            raise fault(self.path, error) from None
        finally:
            self._database.close()

    # opening

    def _begin(self) -> Facts:
        facts = self._read_facts()
        if facts is None:
            return Facts(new_epoch())
        (newest,) = self._database.execute("SELECT coalesce(max(last), 0) FROM batches").fetchone()
        if newest > facts.last:
            raise self._damaged("it holds records behind its last one")
        if not facts.clean:
            facts.past = [*facts.past, (facts.epoch, facts.last)][-EPOCHS:]
            facts.epoch = new_epoch()
        facts.clean = False
        return facts

    def _read_facts(self) -> Facts | None:
        row = self._database.execute("SELECT facts, crc FROM meta").fetchone()
        if row is None:
            return None
        text, crc = row
        if not isinstance(text, str) or crc32(text.encode("utf-8", "surrogateescape")) != crc:
            raise self._damaged("its own facts do not fit their checksum")
        facts = Facts(**json.loads(text))
        facts.past = [(epoch, last) for epoch, last in facts.past]
        return facts

    def _read_rest(self) -> tuple[list[tuple[int, Any]], dict[str, Held], bool]:
        gaps = [read_gap(row) for row in self._database.execute("SELECT * FROM gaps ORDER BY number")]
        positions = [read_position(row) for row in self._database.execute("SELECT * FROM consumers")]
        consumers = {name: Held(cursor, moved_at) for name, cursor, moved_at in filter(None, positions)}
        return [gap for gap in gaps if gap is not None], consumers, None in gaps or None in positions

    def _oldest(self) -> int | None:
        row = self._database.execute("SELECT first, last FROM batches ORDER BY last LIMIT 1").fetchone()
        if row is None:
            return None
        first, last = row  # only a damaged row has a first number that is none, and the last is its key
        return first if isinstance(first, int) and 0 < first <= last else int(last)

    def _damaged(self, why: str) -> DatabaseError:
        return DatabaseError(
            f"{str(self.path)!r} is damaged: {why}", "move the file away, and a new history is begun with a new epoch"
        )

    # writing

    def _after(self, work: Work) -> Facts:
        facts = Facts(**{name: getattr(self.facts, name) for name in Facts.__slots__})
        if work.batches:
            newest = work.batches[-1]
            facts.last, facts.end, facts.horizon = newest.last, newest.offset + newest.size, newest.horizon
        if work.gaps:
            facts.gaps = work.gaps[-1].number
        return facts

    def _insert(self, work: Work) -> None:
        execute, many = self._database.execute, self._database.executemany
        many("INSERT INTO batches VALUES (?,?,?,?,?,?,?,?,?,?)", map(batch_row, work.batches))
        for number, gap, instead_of in work.gaps:
            if instead_of is not None:
                execute("DELETE FROM gaps WHERE number = ?", (instead_of,))
            execute("INSERT INTO gaps VALUES (?,?,?,?,?,?,?,?)", gap_row(number, gap))
        for name, held in work.consumers.items():
            if held is None:
                execute("DELETE FROM consumers WHERE name = ?", (name,))
            else:
                row = checked((name, held.cursor.seq, held.cursor.gaps, held.moved_at))
                execute("INSERT OR REPLACE INTO consumers VALUES (?,?,?,?,?)", row)

    def _drop_old(self, facts: Facts, now: float, most_rows: int) -> int | None:
        """Drop rows from the front, and give the first number that is left; the newest row goes only by its age."""
        horizon = self.limits.horizon(now)
        dropped = None
        # CAST: of a damaged row, whatever it holds counts as a number, and such a row goes in its turn
        query = "SELECT last, CAST(offset AS INTEGER), CAST(horizon AS REAL) FROM batches ORDER BY last LIMIT ?"
        for last, offset, latest in self._database.execute(query, (most_rows,)).fetchall():
            fits = facts.end - offset <= self.limits.most_bytes and facts.last - last < self.limits.most_messages
            if latest >= horizon and (fits or last == facts.last):
                break
            dropped, facts.dropped_at = last, latest
        if dropped is None:
            return self._oldest() if self._first is None else self._first
        self._database.execute("DELETE FROM batches WHERE last <= ?", (dropped,))
        self._database.execute("DELETE FROM gaps WHERE after < ?", (dropped,))
        return self._oldest()

    def _commit_facts(self, facts: Facts, now: float | None) -> None:
        with transaction(self._database):
            self._write_facts(facts, now)

    def _write_facts(self, facts: Facts, now: float | None) -> None:
        facts.at = now
        text = json.dumps({name: getattr(facts, name) for name in Facts.__slots__})
        self._database.execute("INSERT OR REPLACE INTO meta VALUES (0, ?, ?)", (text, crc32(text.encode())))
