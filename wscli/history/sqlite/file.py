"""The log file as its writer sees it: one transaction for each commit, and its retention; no threads.

Numbers go on from the last committed record. After an unclean end a new epoch begins, since readers may have seen
numbers behind that record, and those are given again. A file lost under its writer is created again, and numbers go on.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from operator import attrgetter
from pathlib import Path
from zlib import crc32

from wscli.database.opening import (
    FAULTS,
    DatabaseDamaged,
    DatabaseError,
    Kind,
    fault,
    is_whole,
    open_database,
    transaction,
)
from wscli.history.limits import HistoryLimits
from wscli.history.log import Commit, LogFenced, LogState, WriteBatch
from wscli.history.records import new_epoch
from wscli.history.sqlite.rows import SCHEMA, UPGRADES, insert, read_gap_row, read_kept, read_position

__all__ = ["KIND", "FileHeader", "LogFile"]

KIND = Kind(0x77734831, 4, SCHEMA, UPGRADES)
EPOCHS = 64
"""Number of earlier epochs remembered, so that their positions stay valid."""
_numbers = attrgetter("epoch", "last", "gaps")
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

    After a file was lost under its writer, ``before`` is the last header that was certainly written to it, and
    ``written`` the last one that may have been.

    Raises:
        DatabaseError: it cannot be opened, is damaged, or belongs to another program.
    """

    def __init__(
        self, path: Path, limits: HistoryLimits, before: FileHeader | None = None, written: FileHeader | None = None
    ) -> None:
        self.path = path
        self.limits = limits
        self._crc: int | None = None
        """Checksum of the header that was written last."""
        self.damage: list[str] = []
        """What is wrong with what it holds."""
        self._database = open_database(path, KIND, sync=limits.sync)
        try:
            self.header = self._begin(before, written)
            self._first = self._oldest()
            self.state = self._read_state()
            self._commit_header(self.header, self.header.at)
        except BaseException as error:
            self._database.close()
            if isinstance(error, FAULTS):
                raise fault(path, error) from None
            raise

    @property
    def committed(self) -> Commit:
        """What is on disk."""
        return Commit(self.header.last, self._first, self.header.dropped_at)

    def write(self, batch: WriteBatch, now: float) -> Commit:
        """Commit a batch durably, and drop rows beyond the limits; what was committed before is passed over.

        Raises:
            LogFenced: another process wrote the file; nothing was committed.
            DatabaseError: nothing was committed.
        """
        batch = batch._replace(
            batches=[one for one in batch.batches if one.last > self.header.last],
            gaps=[one for one in batch.gaps if one.number > self.header.gaps],
        )
        header = self._header_after(batch)
        try:
            with transaction(self._database):
                self._require_own_header()
                insert(self._database, batch)
                first = self._drop_old(header, now, 2 * len(batch.batches) + TRIM_ROWS)
                crc = self._write_header(header, now)
        except sqlite3.IntegrityError:
            raise self._fenced() from None
        except FAULTS as error:
            raise fault(self.path, error) from None
        self.header, self._first, self._crc = header, first, crc
        return self.committed

    def close(self, rest: WriteBatch, now: float) -> Commit:
        """Commit the rest, and close the file as clean.

        Raises:
            DatabaseError: that could not be written, so that the next start begins a new epoch.
        """
        try:
            commit = self.write(rest, now)
            self.header.clean = True
            self._commit_header(self.header, now)
        except FAULTS as error:
            raise fault(self.path, error) from None
        else:
            return commit
        finally:
            self._database.close()

    def is_whole(self) -> bool:
        """Whether the file on the disk holds what was committed; reads all of it."""
        if not is_whole(self.path):
            return False
        try:
            with closing(sqlite3.connect(self.path)) as database:
                return bool(database.execute("SELECT crc FROM meta").fetchone() == (self._crc,))
        except FAULTS:
            return False

    def abort(self) -> None:
        """Close the file as it is."""
        self._database.close()

    # opening

    def _begin(self, before: FileHeader | None, written: FileHeader | None) -> FileHeader:
        header = self._read_header()
        if header is None:
            return FileHeader(new_epoch()) if before is None else replace(before, dropped_at=before.horizon or None)
        past = [*header.past, (header.epoch, header.last)]
        same = header.clean if before is None else _numbers(header) in (_numbers(before), _numbers(written or before))
        if self._take_rows_behind(header):
            self.damage.append(f"it holds records of two writers; numbers go on after {header.last}, in a new epoch")
        elif same:
            header.clean = False
            return header
        elif before is not None:
            self.damage.append(f"it holds other records than it did; numbers go on after {before.last} in a new epoch")
        if before is not None:
            past += [*before.past, (before.epoch, before.last)]
            for name in ("last", "end", "horizon", "gaps"):
                setattr(header, name, max(getattr(header, name), getattr(before, name)))
        header.past, header.epoch, header.clean = past[-EPOCHS:], new_epoch(), False
        return header

    def _take_rows_behind(self, header: FileHeader) -> bool:
        """Move a header on to the last record and gap of the file; return whether it was behind them."""
        query = "SELECT last, CAST(offset AS INTEGER) + length(data), CAST(horizon AS REAL) FROM batches WHERE last > ?"
        row = self._database.execute(f"{query} ORDER BY last DESC LIMIT 1", (header.last,)).fetchone()
        if row is not None:
            header.last, header.end, header.horizon = row[0], max(header.end, row[1] or 0), max(header.horizon, row[2])
        (gaps,) = self._database.execute("SELECT coalesce(max(number), 0) FROM gaps").fetchone()
        more_gaps, header.gaps = gaps > header.gaps, max(header.gaps, gaps)
        return row is not None or more_gaps

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
        header = self.header
        gaps = [read_gap_row(row) for row in self._database.execute("SELECT * FROM gaps ORDER BY number")]
        positions = [read_position(row, header.epoch) for row in self._database.execute("SELECT * FROM consumers")]
        kept = read_kept(self._database.execute("SELECT facts, crc FROM kept").fetchone())
        if None in gaps or None in positions or kept is None:
            self.damage.append("it holds damaged gaps, positions or kept values; they are left out")
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
            seen=[row[0] for row in self._database.execute("SELECT digest FROM seen ORDER BY number")],
            kept=kept or {},
            damage=f"{str(self.path)!r}: {'; '.join(self.damage)}" if self.damage else None,
        )

    def _oldest(self) -> int | None:
        row = self._database.execute("SELECT first, last FROM batches ORDER BY last LIMIT 1").fetchone()
        if row is None:
            return None
        first, last = row  # in a damaged row first may be anything; last is its key
        return first if isinstance(first, int) and 0 < first <= last else int(last)

    def _damaged(self, why: str) -> DatabaseError:
        return DatabaseDamaged(
            f"{str(self.path)!r} is damaged: {why}", "move the file away, and a new history is begun with a new epoch"
        )

    # writing

    def _header_after(self, batch: WriteBatch) -> FileHeader:
        header = replace(self.header)
        if batch.batches:
            newest = batch.batches[-1]
            header.last, header.end, header.horizon = newest.last, newest.offset + newest.size, newest.horizon
        if batch.gaps:
            header.gaps = batch.gaps[-1].number
        return header

    def _require_own_header(self) -> None:
        row = self._database.execute("SELECT crc FROM meta").fetchone()
        if row is None or row[0] != self._crc:
            raise self._fenced()

    def _fenced(self) -> LogFenced:
        return LogFenced(f"{str(self.path)!r} was written by another process", "`wscli ls` lists the managers")

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
            crc = self._write_header(header, now)
        self._crc = crc

    def _write_header(self, header: FileHeader, now: float | None) -> int:
        header.at = now
        text = json.dumps({name: getattr(header, name) for name in FileHeader.__slots__})
        crc = crc32(text.encode())
        self._database.execute("INSERT OR REPLACE INTO meta VALUES (0, ?, ?)", (text, crc))
        return crc
