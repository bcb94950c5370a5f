"""The file under the outbox: its tables, its transactions, and what is kept in memory beside it.

Counts are kept with each change, never taken again from the table; what expires is looked for when it is due.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from wscli.database import DatabaseError, Kind, fault, open_database, transaction
from wscli.outbox.books import Books, Counts, Fate

__all__ = ["MOST_KEYS", "REMEMBERED", "Changes", "Ledger"]

REMEMBERED = 7 * 86_400.0
"""Seconds for which the key of a sent message is known."""
MOST_KEYS = 100_000
"""Keys of sent messages that an instance knows: beyond it the oldest is forgotten first."""

_KIND = Kind(
    0x7773636F,  # "wsco"
    2,
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
    CREATE INDEX by_channel ON messages (state, channel);
    CREATE INDEX by_expiry ON messages (expires) WHERE state = 'queued' AND expires IS NOT NULL;
    CREATE INDEX by_sent ON messages (sent) WHERE state = 'sent';
    CREATE UNIQUE INDEX by_key ON messages (channel, key) WHERE key IS NOT NULL AND state IN ('queued', 'sent')
    """,
    {1: "ALTER TABLE messages ADD COLUMN doubt TEXT; DROP INDEX by_size"},
)


class Changes(NamedTuple):
    """What calls changed: the counts of the channels concerned, and what became of messages."""

    counts: dict[str, Counts]
    fates: list[Fate]
    next_expiry: float | None
    """When the first that is queued, and not being sent, expires: on the wall clock."""
    written: bool
    """Whether the file was opened, or took a change."""


class Ledger:
    """An open file. ``_held`` has, by channel, the message that is being sent: it does not expire meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        killed = _ended_uncleanly(path)
        self._database = open_database(path, _KIND)
        self._books = Books()
        self._held: dict[str, int] = {}
        self._next_expiry: float | None = None
        self._expiry_known = False
        self._oldest_key: float | None = None
        self._written = True
        try:
            with self._faults():
                self._load()
            if killed:
                self._doubt_the_first()
        except BaseException:
            self._database.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def changes(self) -> Changes:
        """Give what changed since this was asked last; the first time, all there is."""
        counts, fates = self._books.take()
        with suppress(DatabaseError):  # whoever puts aside what expired by then meets the fault, and states it
            self._know_expiry()
        written, self._written = self._written, False
        return Changes(counts, fates, self._next_expiry, written)

    def _load(self) -> None:
        for channel, state, count, size in self._database.execute(
            "SELECT channel, state, count(*), sum(size) FROM messages GROUP BY channel, state"
        ):
            self._books.count(channel, state, count, size)
        self._find_oldest_key()

    def _doubt_the_first(self) -> None:
        """Note of each channel's first message that nobody knows whether it was sent, but not marked any more."""
        with self._changing():
            self._database.execute(
                "UPDATE messages SET doubt = 'the manager was killed, perhaps while it was being sent'"
                " WHERE doubt IS NULL AND id IN (SELECT min(id) FROM messages WHERE state = 'queued' GROUP BY channel)"
            )

    def _is_due(self, now: float) -> bool:
        """Say whether something expires, or a key is to be forgotten."""
        self._know_expiry()
        soonest, oldest = self._next_expiry, self._oldest_key
        return (soonest is not None and soonest <= now) or (oldest is not None and oldest <= now - REMEMBERED)

    def _know_expiry(self) -> None:
        if not self._expiry_known:
            with self._faults():
                soonest = self._database.execute(
                    "SELECT id, expires FROM messages INDEXED BY by_expiry"
                    " WHERE state = 'queued' AND expires IS NOT NULL ORDER BY expires LIMIT ?",
                    (len(self._held) + 1,),
                ).fetchall()
            held = self._held.values()
            self._next_expiry = next((expires for number, expires in soonest if number not in held), None)
            self._expiry_known = True

    def _expire(self, now: float) -> None:
        if not self._is_due(now):
            return
        rows = self._database.execute(
            "SELECT id, channel, size, reason, doubt FROM messages INDEXED BY by_expiry"
            " WHERE state = 'queued' AND expires IS NOT NULL AND expires <= ?",
            (now,),
        ).fetchall()
        held = set(self._held.values())
        for number, channel, size, reason, doubt in rows:
            if number not in held:
                fate = doubtful(number, doubt) or Fate(number, "expired", reason)
                self._put_aside(channel, size, "expired", fate)
        gone = self._database.execute("DELETE FROM messages WHERE state = 'sent' AND sent <= ?", (now - REMEMBERED,))
        self._books.count("", "sent", -gone.rowcount)
        self._find_oldest_key()

    def _put_aside(self, channel: str, size: int, state: str, fate: Fate) -> None:
        self._database.execute("UPDATE messages SET state = ?, reason = ? WHERE id = ?", (state, fate.reason, fate.id))
        self._books.count(channel, "queued", -1, -size)
        self._books.count(channel, state, 1, size)
        self._books.tell(fate)
        self._expiry_known = False

    def _remember_key(self, number: int, now: float) -> None:
        self._database.execute(
            "UPDATE messages SET state = 'sent', sent = ?, payload = NULL, reason = NULL WHERE id = ?", (now, number)
        )
        self._books.count("", "sent", 1)
        if self._oldest_key is None:
            self._oldest_key = now
        if (over := self._books.keys - MOST_KEYS) > 0:
            self._database.execute(
                "DELETE FROM messages WHERE id IN"
                " (SELECT id FROM messages INDEXED BY by_sent WHERE state = 'sent' ORDER BY sent LIMIT ?)",
                (over,),
            )
            self._books.count("", "sent", -over)

    def _find_oldest_key(self) -> None:
        (self._oldest_key,) = self._database.execute("SELECT min(sent) FROM messages WHERE state = 'sent'").fetchone()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Change all or nothing: a transaction, or a part of the one that is open."""
        mark, outermost = self._books.mark(), not self._database.in_transaction
        before = self._database.total_changes
        try:
            with self._faults(), transaction(self._database) if outermost else _part(self._database):
                yield
        except BaseException:
            self._books.undo(mark)
            self._expiry_known = False
            raise
        if outermost and self._database.total_changes != before:
            self._written = True

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise fault(self._path, error) from None


def _ended_uncleanly(path: Path) -> bool:
    """Whether whoever had the file open was killed: a connection that is closed takes its log away with it."""
    try:
        return path.with_name(f"{path.name}-wal").stat().st_size > 0
    except OSError:
        return False


def doubtful(number: int, doubt: str | None) -> Fate | None:
    """Make the fate of a message that is given up, where an attempt ended in doubt."""
    return None if doubt is None else Fate(number, "unknown", f"it may have been sent: {doubt}")


@contextmanager
def _part(database: sqlite3.Connection) -> Iterator[None]:
    """Take back what the block does, and no more, where it fails."""
    database.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        if database.in_transaction:  # some faults of the disk have taken all of it back
            database.execute("ROLLBACK TO part")
            database.execute("RELEASE part")
        raise
    database.execute("RELEASE part")
