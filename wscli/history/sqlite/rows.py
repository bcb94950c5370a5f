"""Batches, gaps and positions as rows of a database, each with a checksum that detects damage."""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise
from sqlite3 import Connection as Database
from struct import error as StructError  # noqa: N812 - a class under a lower-case name
from struct import pack
from typing import Any
from zlib import crc32

from wscli.history.log import ConsumerPosition, WriteBatch
from wscli.history.records import Batch, Cursor, GapRecord
from wscli.history.seen import MOST_SEEN

__all__ = [
    "SCHEMA", "UPGRADES", "batch_row", "gap_row", "insert", "position_row", "read_batch", "read_gap_row", "read_kept",
    "read_position",
]  # fmt: skip

SCHEMA = """
CREATE TABLE batches (last INTEGER PRIMARY KEY, first INTEGER, ts REAL, horizon REAL, offset INTEGER, crc INTEGER,
    kinds BLOB, ends BLOB, data BLOB, backfill INTEGER);
CREATE TABLE gaps (number INTEGER PRIMARY KEY, after INTEGER, reason TEXT, start REAL, end REAL, missed INTEGER,
    crc INTEGER, backfilled INTEGER);
CREATE TABLE consumers (name TEXT PRIMARY KEY, seq INTEGER, gaps INTEGER, moved_at REAL, crc INTEGER) WITHOUT ROWID;
CREATE TABLE seen (number INTEGER PRIMARY KEY, digest BLOB UNIQUE);
CREATE TABLE kept (id INTEGER PRIMARY KEY, facts TEXT, crc INTEGER);
CREATE TABLE meta (id INTEGER PRIMARY KEY, facts TEXT, crc INTEGER)
"""
"""Small columns come first, so that a search reads no messages."""
UPGRADES = {
    1: "ALTER TABLE batches ADD COLUMN backfill INTEGER; ALTER TABLE gaps ADD COLUMN backfilled INTEGER",
    2: "CREATE TABLE seen (number INTEGER PRIMARY KEY, digest BLOB UNIQUE)",
    3: "CREATE TABLE kept (id INTEGER PRIMARY KEY, facts TEXT, crc INTEGER)",
}
"""Statements by the version that they upgrade from."""

Row = Sequence[Any]


def insert(database: Database, batch: WriteBatch) -> None:
    """Add the rows of a batch."""
    execute, many = database.execute, database.executemany
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
    many("INSERT OR REPLACE INTO kept VALUES (0, ?, ?)", _kept_rows(batch.kept))
    if batch.seen:
        many("INSERT OR REPLACE INTO seen (digest) VALUES (?)", [(digest,) for digest in batch.seen])
        execute(
            "DELETE FROM seen WHERE number <= (SELECT number FROM seen ORDER BY number DESC LIMIT 1 OFFSET ?)",
            (MOST_SEEN,),
        )


def batch_row(batch: Batch) -> Row:
    """Make the row of a batch."""
    ends = array("I", accumulate(map(len, batch.payloads)))
    if sys.byteorder == "big":
        ends.byteswap()
    facts = (batch.last, batch.first, batch.ts, batch.horizon, batch.offset)
    blobs = (batch.kinds, ends.tobytes(), b"".join(batch.payloads))
    backfill = 1 if batch.backfill else None
    return (*facts, _batch_crc(facts, *blobs, backfill), *blobs, backfill)


def read_batch(row: Row, epoch: str) -> Batch | None:
    """Read the row of a batch, under the file's present epoch; None if it is damaged."""
    *facts, crc, kinds, ends, data, backfill = row
    try:
        if crc != _batch_crc(facts, kinds, ends, data, backfill):
            return None
        last, first, ts, horizon, offset = facts
        cuts = array("I", ends)
        if sys.byteorder == "big":
            cuts.byteswap()
        payloads = [data[start:stop] for start, stop in pairwise((0, *cuts))]
    except (TypeError, ValueError, OverflowError, StructError):
        return None  # columns of other types
    if len(payloads) != last - first + 1:
        return None
    places = {"size": len(data), "offset": offset, "horizon": horizon}
    return Batch(first, ts, payloads, kinds, epoch=epoch, backfill=bool(backfill), **places)


def _batch_crc(facts: Row, kinds: bytes | None, ends: bytes, data: bytes, backfill: int | None) -> int:
    last, first, ts, horizon, offset = facts
    crc = crc32(pack("!QQddQ?", last, first, ts, horizon, offset, kinds is None))
    if backfill is not None:  # rows of version 1 have none
        crc = crc32(pack("!q", backfill), crc)
    return crc32(data, crc32(ends, crc32(kinds or b"", crc)))


def gap_row(number: int, gap: GapRecord) -> Row:
    """Make the row of a gap."""
    *columns, backfilled = gap
    return (number, *columns, _crc((number, *columns), backfilled), backfilled)


def read_gap_row(row: Row) -> tuple[int, GapRecord] | None:
    """Read the row of a gap; None if it is damaged."""
    *columns, crc, backfilled = row
    if crc != _crc(columns, backfilled):
        return None
    number, *facts = columns
    return number, GapRecord(*facts)._replace(backfilled=backfilled)


def position_row(name: str, position: ConsumerPosition) -> Row:
    """Make the row of a consumer."""
    columns = (name, position.cursor.seq, position.cursor.gaps, position.moved_at)
    return (*columns, _crc(columns))


def read_position(row: Row, epoch: str) -> tuple[str, ConsumerPosition] | None:
    """Read the row of a consumer, with its name; None if it is damaged."""
    *columns, crc = row
    if crc != _crc(columns):  # first: a damaged schema can have other columns
        return None
    name, seq, gaps, moved_at = columns
    return name, ConsumerPosition(Cursor(seq, gaps, epoch), moved_at)


def _kept_rows(text: str | None) -> list[Row]:
    """Make the row of kept values; none for None."""
    return [] if text is None else [(text, _crc((text,)))]


def read_kept(row: Row | None) -> dict[str, Any] | None:
    """Read the row of kept values, empty where there is none; None if it is damaged."""
    if row is None:
        return {}
    text, crc = row
    return dict(json.loads(text)) if crc == _crc((text,)) else None


def _crc(columns: Row, later: Any = None) -> int:
    """Sum some columns, and one of a later version where it is set."""
    every = tuple(columns) if later is None else (*columns, later)
    return crc32(repr(every).encode("utf-8", "surrogateescape"))
