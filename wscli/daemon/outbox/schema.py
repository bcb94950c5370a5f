"""The tables of the outbox's file, how it is opened, and how it is renewed if it is lost under the manager."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from wscli.daemon.outbox.messages import MAX_MESSAGES, MAX_OUTBOX_BYTES, Loss
from wscli.database.opening import FAULTS, DatabaseDamaged, Kind, fault, is_whole, open_database, transaction, unusable
from wscli.database.owned_files import OwnedFiles
from wscli.errors import NotSent

__all__ = ["OutboxFile", "require_room"]

_KIND = Kind(
    0x7773636F,  # "wsco"
    3,
    """
    CREATE TABLE messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        channel TEXT NOT NULL,
        state TEXT NOT NULL,
        queued REAL NOT NULL,
        expires REAL,
        key TEXT,
        binary INTEGER NOT NULL,
        size INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        reason TEXT,
        doubt TEXT,
        sent REAL,
        payload BLOB
    );
    CREATE INDEX by_channel ON messages (channel, state, id, size) WHERE state <> 'sent';
    CREATE INDEX by_expiry ON messages (expires) WHERE state = 'queued' AND expires IS NOT NULL;
    CREATE INDEX by_sent ON messages (sent) WHERE state = 'sent';
    CREATE UNIQUE INDEX by_key ON messages (channel, key) WHERE key IS NOT NULL AND state IN ('queued', 'sent')
    """,
    {
        1: "ALTER TABLE messages ADD COLUMN doubt TEXT; DROP INDEX by_size",
        2: "DROP INDEX by_channel;CREATE INDEX by_channel ON messages (channel, state, id, size) WHERE state <> 'sent'",
    },
)
_HELD = "CREATE TEMP TABLE held (channel TEXT PRIMARY KEY, id INTEGER NOT NULL UNIQUE)"
"""The message that each channel is sending now. Temporary: part of each transaction, and gone with the connection."""


class OutboxFile:
    """The file, open and locked.

    Raises:
        DatabaseError: it is damaged, of another program, used by another process, or cannot be read and written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._owned = OwnedFiles(path)
        try:
            self.database = _open(path)
        except BaseException:
            self._owned.release()
            raise
        self._owned.note()

    def written(self) -> None:
        """Take the files as they are now for what they should be."""
        self._owned.note()

    def changed(self) -> bool:
        """Whether another program removed, replaced or wrote the files."""
        return (self._owned.lost() or self._owned.resized()) is not None

    def lost(self) -> str | None:
        """Return what another program did to the files; None if they still hold what was committed."""
        reason = self._owned.lost() or self._owned.resized()
        if reason is not None and self._owned.lost() is None and is_whole(self.path):
            self._owned.note()
            return None
        return reason

    def renew(self, reason: str, last: int) -> Loss:
        """Put a copy of what the connection still holds in place of a lost file; where it cannot be read, an empty one.

        ``last`` is the number of the last message: numbers go on after it.

        Raises:
            DatabaseError, sqlite3.Error: there is no room for it, or another process uses the file; it is closed.
        """
        try:
            self._owned.lock_again()
            held = self.database.execute("SELECT channel, id FROM held").fetchall()
            copy = self._copy()
            self._owned.abandon(self.database.close)
            if copy is not None:
                self._owned.set_aside()
                copy.rename(self.path)
            self.database = self._opened()
            with transaction(self.database):
                if copy is None:
                    self.database.execute("INSERT INTO sqlite_sequence VALUES ('messages', ?)", (last,))
                else:
                    self.database.executemany("INSERT INTO held VALUES (?, ?)", held)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise unusable(self.path, error) from None
            raise
        self._owned.note()
        if copy is None:
            return Loss(f"{reason}; the messages up to {last} are lost", last)
        return Loss(f"{reason}; its messages were written to a new one", 0)

    def _opened(self) -> sqlite3.Connection:
        try:
            return _open(self.path)
        except DatabaseDamaged:
            self._owned.set_aside()
            return _open(self.path)

    def close(self) -> None:
        """Close the file."""
        self.database.close()
        self._owned.release()

    def _copy(self) -> Path | None:
        copy = self.path.with_name(f"{self.path.name}.copy")
        copy.unlink(missing_ok=True)
        os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        try:
            with closing(sqlite3.connect(copy)) as database:
                self.database.backup(database)
                whole = database.execute("PRAGMA quick_check").fetchall() == [("ok",)]
        except FAULTS as error:
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_FULL"):
                raise fault(copy, error) from None
            whole = False
        if not whole:
            copy.unlink()
        return copy if whole else None


def require_room(database: sqlite3.Connection, payloads: Sequence[bytes]) -> None:
    """Check that further messages fit.

    Raises:
        NotSent: the outbox would exceed a limit.
    """
    count, size = database.execute(
        "SELECT count(*), coalesce(sum(size), 0) FROM messages WHERE state <> 'sent'"
    ).fetchone()
    hint = "`wscli outbox ls` lists what waits; `wscli outbox rm ID` removes a message"
    if count + len(payloads) > MAX_MESSAGES:
        raise NotSent(f"the outbox is full: it holds {count} of {MAX_MESSAGES} messages", hint)
    if size + sum(map(len, payloads)) > MAX_OUTBOX_BYTES:
        raise NotSent(f"the outbox is full: it holds {size} bytes of {MAX_OUTBOX_BYTES >> 20} MiB", hint)


def _open(path: Path) -> sqlite3.Connection:
    """Open the file, or create it.

    If the last process that had it open was killed, the first message of each channel is noted as one that may have
    been sent: its mark may be lost.

    Raises:
        DatabaseError: it is damaged, of another program, or cannot be read and written.
        sqlite3.Error: likewise, in the first statements.
    """
    killed = _log_left(path)
    database = open_database(path, _KIND)
    try:
        database.execute("PRAGMA temp_store=MEMORY")
        database.execute(_HELD)
        if killed:
            with transaction(database):
                database.execute(
                    "UPDATE messages SET doubt = 'the manager was killed, perhaps while it was being sent' WHERE doubt"
                    " IS NULL AND id IN (SELECT min(id) FROM messages WHERE state = 'queued' GROUP BY channel)"
                )
    except BaseException:
        database.close()
        raise
    return database


def _log_left(path: Path) -> bool:
    """Say whether a killed process left its write-ahead log: closing the file removes it."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False
