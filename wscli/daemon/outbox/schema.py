"""The tables of the outbox's file, and how it is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from wscli.database.opening import Kind, open_database, transaction

__all__ = ["open_outbox"]

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


def open_outbox(path: Path) -> sqlite3.Connection:
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
