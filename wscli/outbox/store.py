"""The outbox on the disk: a row a message, and what became of it.

Nothing here knows of channels' states or of asyncio; every call blocks until its transaction is on the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from wscli.database import Kind, fault, open_database, transaction
from wscli.errors import NotSent, UsageError

__all__ = ["MOST_BYTES", "MOST_MESSAGES", "REMEMBERED", "Census", "Message", "OutboxStore"]

MOST_MESSAGES = 10_000
"""Messages of an instance, those included that expired or were rejected and not yet removed."""
MOST_BYTES = 64 << 20
"""Bytes of their payloads."""
REMEMBERED = 7 * 86_400.0
"""Seconds for which the key of a sent message is known."""

_KIND = Kind(
    0x7773636F,  # "wsco"
    1,
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
        sent REAL,
        payload BLOB
    );
    CREATE INDEX by_channel ON messages (state, channel);
    CREATE INDEX by_size ON messages (state, size);
    CREATE INDEX by_expiry ON messages (expires) WHERE state = 'queued' AND expires IS NOT NULL;
    CREATE INDEX by_sent ON messages (sent) WHERE state = 'sent';
    CREATE UNIQUE INDEX by_key ON messages (channel, key) WHERE key IS NOT NULL AND state IN ('queued', 'sent')
    """,
)


class Message(NamedTuple):
    """What is to be sent next."""

    id: int
    payload: bytes
    binary: bool


class Census(NamedTuple):
    """How many messages there are: by channel, then by state (``queued``, ``expired``, ``rejected``)."""

    channels: dict[str, dict[str, int]]
    next_expiry: float | None
    """When the first of the queued expires, on the wall clock."""


class OutboxStore:
    """The messages of one instance; one thread uses it at a time. ``now`` is always the wall clock.

    Every method raises DatabaseError where the file cannot be read or written; then nothing has changed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = open_database(path, _KIND)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(
        self, channel: str, payloads: Sequence[bytes], *, binary: bool, ttl: float | None, key: str | None, now: float
    ) -> int:
        """Accept messages, all or none, and give how many are new: one whose key is known is not.

        Raises:
            NotSent: they would be over a limit.

        """
        expires = None if ttl is None else now + ttl
        with self._changing():
            self._expire(now)
            if key is not None and self._knows(channel, key):
                return 0
            self._require_room(payloads)
            self._database.executemany(
                "INSERT INTO messages (channel, state, queued, expires, key, binary, size, payload)"
                " VALUES (?, 'queued', ?, ?, ?, ?, ?, ?)",
                [(channel, now, expires, key, binary, len(payload), payload) for payload in payloads],
            )
        return len(payloads)

    def next(self, channel: str, now: float) -> Message | None:
        """Give the oldest queued message of a channel that has not expired."""
        with self._changing():
            self._expire(now)
            row = self._database.execute(
                "SELECT id, payload, binary FROM messages WHERE state = 'queued' AND channel = ? ORDER BY id LIMIT 1",
                (channel,),
            ).fetchone()
        return None if row is None else Message(row[0], row[1], bool(row[2]))

    def mark_sent(self, number: int, now: float) -> None:
        """Forget a message that was sent; of one with a key, the key is remembered."""
        with self._changing():
            self._database.execute("DELETE FROM messages WHERE id = ? AND key IS NULL", (number,))
            self._database.execute(
                "UPDATE messages SET state = 'sent', sent = ?, payload = NULL, reason = NULL WHERE id = ?",
                (now, number),
            )

    def mark_failed(self, number: int, reason: str) -> None:
        """Count an attempt that failed; the message stays queued."""
        with self._changing():
            self._database.execute(
                "UPDATE messages SET attempts = attempts + 1, reason = ? WHERE id = ?", (reason, number)
            )

    def mark_rejected(self, number: int, reason: str) -> None:
        """Put a message aside that can never be sent."""
        with self._changing():
            self._database.execute(
                "UPDATE messages SET state = 'rejected', attempts = attempts + 1, reason = ? WHERE id = ?",
                (reason, number),
            )

    def expire(self, now: float) -> None:
        """Put aside what is past its time, and forget the keys that are."""
        with self._changing():
            self._expire(now)

    def list(self, channels: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Give what is queued, expired or rejected, oldest first, without the payloads."""
        with self._faults():
            rows = self._database.execute(
                "SELECT id, channel, state, queued, expires, key, size, attempts, reason FROM messages"
                " WHERE state <> 'sent' ORDER BY id"
            ).fetchall()
        names = ("id", "channel", "state", "queued_at", "expires_at", "key", "size", "attempts", "reason")
        return [dict(zip(names, row, strict=True)) for row in rows if not channels or row[1] in channels]

    def remove(self, numbers: Sequence[int]) -> int:
        """Remove messages, all or none.

        Raises:
            UsageError: there is none of that number.

        """
        with self._changing():
            for number in dict.fromkeys(numbers):
                found = self._database.execute("DELETE FROM messages WHERE id = ? AND state <> 'sent'", (number,))
                if not found.rowcount:
                    raise UsageError(f"no message {number} is in the outbox", "`wscli outbox ls` lists them")
        return len(set(numbers))

    def remove_expired(self) -> int:
        """Remove what expired."""
        with self._changing():
            return self._database.execute("DELETE FROM messages WHERE state = 'expired'").rowcount

    def remove_channel(self, channel: str) -> int:
        """Remove all that a channel has, except the keys of what was sent."""
        with self._changing():
            return self._database.execute(
                "DELETE FROM messages WHERE channel = ? AND state <> 'sent'", (channel,)
            ).rowcount

    def census(self) -> Census:
        """Count."""
        with self._faults():
            rows = self._database.execute(
                "SELECT channel, state, count(*) FROM messages WHERE state IN ('queued', 'expired', 'rejected')"
                " GROUP BY state, channel"
            ).fetchall()
            first = self._database.execute(
                "SELECT expires FROM messages WHERE state = 'queued' AND expires IS NOT NULL ORDER BY expires LIMIT 1"
            ).fetchone()
        channels: dict[str, dict[str, int]] = {}
        for channel, state, count in rows:
            channels.setdefault(channel, {"queued": 0, "expired": 0, "rejected": 0})[state] = count
        return Census(channels, None if first is None else first[0])

    def _knows(self, channel: str, key: str) -> bool:
        found = self._database.execute(
            "SELECT 1 FROM messages WHERE channel = ? AND key = ? AND state IN ('queued', 'sent')", (channel, key)
        )
        return found.fetchone() is not None

    def _require_room(self, payloads: Sequence[bytes]) -> None:
        count, held = self._database.execute(
            "SELECT count(*), coalesce(sum(size), 0) FROM messages WHERE state IN ('queued', 'expired', 'rejected')"
        ).fetchone()
        hint = "`wscli outbox ls` lists what waits, `wscli outbox rm` removes it"
        if count + len(payloads) > MOST_MESSAGES:
            raise NotSent(f"the outbox is full: it holds {count} of {MOST_MESSAGES} messages", hint)
        if held + sum(map(len, payloads)) > MOST_BYTES:
            raise NotSent(f"the outbox is full: it holds {held} bytes of {MOST_BYTES >> 20} MiB", hint)

    def _expire(self, now: float) -> None:
        self._database.execute(
            "UPDATE messages SET state = 'expired' WHERE state = 'queued' AND expires IS NOT NULL AND expires <= ?",
            (now,),
        )
        self._database.execute("DELETE FROM messages WHERE state = 'sent' AND sent <= ?", (now - REMEMBERED,))

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._faults(), transaction(self._database):
            yield

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise fault(self._path, error) from None
