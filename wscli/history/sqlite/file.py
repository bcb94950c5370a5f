"""The log file as its writer sees it: one transaction for each commit, and its retention; no threads.

Numbers go on from the last committed record. After an unclean end a new epoch begins, since readers may have seen
numbers behind that record, and those are given again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from zlib import crc32

from wscli.database import FAULTS, DatabaseError, Kind, fault, open_database, transaction
from wscli.history.limits import HistoryLimits
from wscli.history.log import Commit, LogState, WriteBatch
from wscli.history.records import new_epoch
from wscli.history.sqlite.rows import SCHEMA, UPGRADES, batch_row, gap_row, position_row, read_gap_row, read_position

__all__ = ["KIND", "FileHeader", "LogFile"]

KIND = Kind(0x77734831, 2, SCHEMA, UPGRADES)
EPOCHS = 64
"""Number of earlier epochs remembered, so that their positions stay valid."""
TRIM_ROWS = 64
"""A commit drops at most this many rows, and twice those it adds: retention never stalls."""


@dataclass(slots=True)
class FileHeader:
    """What holds for the whole file; the row ``meta``."""

    epoch: str
    last: int = 0
    end: int = 0
    horizon: float = 0.0
    dropped_at: float | None = None
    gaps: int = 0
    """Number of gaps ever recorded."""
    at: float | None = None
    """Time of the last write, by the wall clock; None: never."""
    clean: bool = False
    """Whether the last writer closed the file."""
    past: list[tuple[str, int]] = field(default_factory=list)
    """Earlier epochs, each with the number of its last committed record."""


class LogFile:
    """A file with one writer.

    Raises:
        DatabaseError: it cannot be opened, is damaged, or belongs to another program.
    """

    def __init__(self, path: Path, limits: HistoryLimits) -> None:
        self.path = path
        self.limits = limits
        self._database = open_database(path, KIND, sync=limits.sync)
        try:
            self._header = self._begin()
            self._first = self._oldest()
            self.state = self._read_state()
            self._commit_header(self._header, self._header.at)
        except BaseException as error:
            self._database.close()
            if isinstance(error, FAULTS):
                raise fault(path, error) from None
            raise

    @property
    def committed(self) -> Commit:
        """What is on disk."""
        return Commit(self._header.last, self._first, self._header.dropped_at)

    def write(self, batch: WriteBatch, now: float) -> Commit:
        """Commit a batch durably, and drop rows beyond the limits; what was committed before is passed over.

        Raises:
            DatabaseError: nothing was committed.
        """
        batch = WriteBatch(
            [one for one in batch.batches if one.last > self._header.last],
            [one for one in batch.gaps if one.number > self._header.gaps],
            batch.consumers,
        )
        header = self._header_after(batch)
        try:
            with transaction(self._database):
                self._insert(batch)
                first = self._drop_old(header, now, 2 * len(batch.batches) + TRIM_ROWS)
                self._write_header(header, now)
        except FAULTS as error:
            raise fault(self.path, error) from None
        self._header, self._first = header, first
        return self.committed

    def close(self, rest: WriteBatch, now: float) -> Commit:
        """Commit the rest, and close the file as clean.

        Raises:
            DatabaseError: that could not be written, so that the next start begins a new epoch.
        """
        try:
            commit = self.write(rest, now)
            self._header.clean = True
            self._commit_header(self._header, now)
        except FAULTS as error:
            raise fault(self.path, error) from None
        else:
            return commit
        finally:
            self._database.close()

    # opening

    def _begin(self) -> FileHeader:
        header = self._read_header()
        if header is None:
            return FileHeader(new_epoch())
        (newest,) = self._database.execute("SELECT coalesce(max(last), 0) FROM batches").fetchone()
        if newest > header.last:
            raise self._damaged("it holds records behind its last one")
        if not header.clean:
            header.past = [*header.past, (header.epoch, header.last)][-EPOCHS:]
            header.epoch = new_epoch()
        header.clean = False
        return header

    def _read_header(self) -> FileHeader | None:
        row = self._database.execute("SELECT facts, crc FROM meta").fetchone()
        if row is None:
            return None
        text, crc = row
        if not isinstance(text, str) or crc32(text.encode("utf-8", "surrogateescape")) != crc:
            raise self._damaged("its header does not match its checksum")
        header = FileHeader(**json.loads(text))
        header.past = [(epoch, last) for epoch, last in header.past]
        return header

    def _read_state(self) -> LogState:
        header = self._header
        gaps = [read_gap_row(row) for row in self._database.execute("SELECT * FROM gaps ORDER BY number")]
        positions = [read_position(row, header.epoch) for row in self._database.execute("SELECT * FROM consumers")]
        damaged = None in gaps or None in positions
        return LogState(
            header.epoch,
            self.committed,
            header.end,
            header.horizon,
            written_at=header.at if header.last or header.gaps else None,
            gaps=[gap for gap in gaps if gap is not None],
            gap_count=header.gaps,
            past=dict(header.past),
            consumers=dict(filter(None, positions)),
            damage=f"{str(self.path)!r} holds damaged gaps or positions; they are left out" if damaged else None,
        )

    def _oldest(self) -> int | None:
        row = self._database.execute("SELECT first, last FROM batches ORDER BY last LIMIT 1").fetchone()
        if row is None:
            return None
        first, last = row  # in a damaged row first may be anything; last is its key
        return first if isinstance(first, int) and 0 < first <= last else int(last)

    def _damaged(self, why: str) -> DatabaseError:
        return DatabaseError(
            f"{str(self.path)!r} is damaged: {why}", "move the file away, and a new history is begun with a new epoch"
        )

    # writing

    def _header_after(self, batch: WriteBatch) -> FileHeader:
        header = replace(self._header)
        if batch.batches:
            newest = batch.batches[-1]
            header.last, header.end, header.horizon = newest.last, newest.offset + newest.size, newest.horizon
        if batch.gaps:
            header.gaps = batch.gaps[-1].number
        return header

    def _insert(self, batch: WriteBatch) -> None:
        execute, many = self._database.execute, self._database.executemany
        many("INSERT INTO batches VALUES (?,?,?,?,?,?,?,?,?,?)", map(batch_row, batch.batches))
        for number, gap, instead_of in batch.gaps:
            if instead_of is not None:
                execute("DELETE FROM gaps WHERE number = ?", (instead_of,))
            execute("INSERT INTO gaps VALUES (?,?,?,?,?,?,?,?)", gap_row(number, gap))
        for name, position in batch.consumers.items():
            if position is None:
                execute("DELETE FROM consumers WHERE name = ?", (name,))
            else:
                execute("INSERT OR REPLACE INTO consumers VALUES (?,?,?,?,?)", position_row(name, position))

    def _drop_old(self, header: FileHeader, now: float, most_rows: int) -> int | None:
        """Drop rows from the front, and return the first number left; only age drops the newest row."""
        horizon = self.limits.horizon(now)
        dropped = None
        # CAST: any value of a damaged row counts as a number, so that the row is dropped in its turn
        query = "SELECT last, CAST(offset AS INTEGER), CAST(horizon AS REAL) FROM batches ORDER BY last LIMIT ?"
        for last, offset, latest in self._database.execute(query, (most_rows,)).fetchall():
            fits = header.end - offset <= self.limits.most_bytes and header.last - last < self.limits.most_messages
            if latest >= horizon and (fits or last == header.last):
                break
            dropped, header.dropped_at = last, latest
        if dropped is None:
            return self._oldest() if self._first is None else self._first
        self._database.execute("DELETE FROM batches WHERE last <= ?", (dropped,))
        self._database.execute("DELETE FROM gaps WHERE after < ?", (dropped,))
        return self._oldest()

    def _commit_header(self, header: FileHeader, now: float | None) -> None:
        with transaction(self._database):
            self._write_header(header, now)

    def _write_header(self, header: FileHeader, now: float | None) -> None:
        header.at = now
        text = json.dumps({name: getattr(header, name) for name in FileHeader.__slots__})
        self._database.execute("INSERT OR REPLACE INTO meta VALUES (0, ?, ?)", (text, crc32(text.encode())))
