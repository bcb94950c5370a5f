"""The outbox on the disk: one row per message, and one per remembered key of a sent message."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from wscli.control.messages import QueueOutcome, QueueReceipt
from wscli.daemon.outbox.messages import (
    KEY_LIFETIME,
    MAX_KEYS,
    NO_MESSAGES,
    CommitReport,
    Loss,
    MessageCounts,
    QueuedMessage,
    outcome_of,
)
from wscli.daemon.outbox.schema import OutboxFile, require_room
from wscli.database.opening import DatabaseError, fault, savepoint, transaction
from wscli.errors import UsageError, WscliError

__all__ = ["OutboxStore"]


class OutboxStore:
    """The messages of one instance; one thread uses it at a time. ``now`` is always the wall clock.

    The message that ``next`` or ``mark_sent`` returns is held: until it is marked or put back it neither expires nor
    can it be removed.

    Each method blocks until its transaction is on the disk. It raises DatabaseError where the file cannot be read or
    written; then nothing has changed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outcomes: list[QueueOutcome] = []
        self._reported = -1
        """``total_changes`` of the database at the last report."""
        self._loss: Loss | None = None
        with self._faults():
            self._file = OutboxFile(path)
            self._last = self._database.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence").fetchone()[0]

    def close(self) -> None:
        """Close the file; a lost one is renewed before."""
        with suppress(DatabaseError):
            self.renew_if_lost()
        self._file.close()

    @property
    def _database(self) -> sqlite3.Connection:
        return self._file.database

    def changed(self) -> bool:
        """Whether another program removed, replaced or wrote the file."""
        return self._file.changed()

    def renew_if_lost(self) -> None:
        """Replace a lost file by what the connection still holds.

        Raises:
            DatabaseError: the file cannot be used; the store is closed.
        """
        reason = self._file.lost()
        if reason is not None:
            with self._faults():
                self._loss = self._file.renew(reason, self._last)
            self._reported = -1

    def together(self, calls: Sequence[Callable[[OutboxStore], Any]]) -> list[Any]:
        """Carry out calls in one transaction, and return the result or the exception of each.

        If the disk refuses the transaction, each call is tried alone: the disk may take the others.
        """
        try:
            if len(calls) > 1:
                with suppress(DatabaseError), self._changing():  # else nothing has changed
                    return [self._call(call) for call in calls]
            return [self._carried_out(call) for call in calls]
        finally:
            self._file.written()

    def _carried_out(self, call: Callable[[OutboxStore], Any]) -> Any:
        try:
            return self._call(call)
        except DatabaseError as error:
            return error

    def _call(self, call: Callable[[OutboxStore], Any]) -> Any:
        try:
            return call(self)
        except DatabaseError:
            raise
        except Exception as error:  # for the caller, who waits in another thread
            return error

    def report(self) -> CommitReport | None:
        """Count what the file holds; None if nothing changed since the last report."""
        if (changes := self._database.total_changes) == self._reported:
            return None
        counts: dict[str, MessageCounts] = {}
        with self._faults():
            for channel, state, count in self._database.execute(
                "SELECT channel, state, count(*) FROM messages WHERE state <> 'sent' GROUP BY channel, state"
            ):
                counts.setdefault(channel, dict(NO_MESSAGES))[state] = count
            (next_expiry,) = self._database.execute(
                "SELECT min(expires) FROM messages INDEXED BY by_expiry"
                " WHERE state = 'queued' AND expires IS NOT NULL AND id NOT IN (SELECT id FROM held)"
            ).fetchone()
        outcomes, self._outcomes, self._reported = self._outcomes, [], changes
        loss, self._loss = self._loss, None
        return CommitReport(counts, outcomes, next_expiry, loss)

    def add(
        self, channel: str, payloads: Sequence[bytes], *, binary: bool, ttl: float | None, key: str | None, now: float
    ) -> QueueReceipt:
        """Queue messages, all or none; a message whose key is known is not queued again.

        Raises:
            NotSent: the outbox would exceed a limit.
        """
        with self._changing():
            self._expire(now)
            known = self._database.execute(
                "SELECT id, state FROM messages WHERE channel = ? AND key = ? AND state IN ('queued', 'sent')",
                (channel, key),
            ).fetchone()
            if known is not None:
                return QueueReceipt(queued=0, known=len(payloads), first=known[0], state=known[1])
            require_room(self._database, payloads)
            expires = None if ttl is None else now + ttl
            self._database.executemany(
                "INSERT INTO messages (channel, state, queued, expires, key, binary, size, payload)"
                " VALUES (?, 'queued', ?, ?, ?, ?, ?, ?)",
                [(channel, now, expires, key, binary, len(payload), payload) for payload in payloads],
            )
            (last,) = self._database.execute("SELECT last_insert_rowid()").fetchone()
        self._last = max(self._last, last)
        return QueueReceipt(queued=len(payloads), known=0, first=last - len(payloads) + 1, state="queued")

    def next(self, channel: str, now: float) -> QueuedMessage | None:
        """Hold and return the oldest queued message of a channel that has not expired."""
        with self._changing():
            self.put_back(channel)
            self._expire(now)
            return self._hold_first(channel)

    def mark_sent(self, number: int, now: float) -> QueuedMessage | None:
        """Delete a message that was sent, except its key; hold and return the next of its channel."""
        with self._changing():
            row = self._database.execute("SELECT channel, key FROM messages WHERE id = ?", (number,)).fetchone()
            if row is None:
                return None  # its file was lost meanwhile
            channel, key = row
            if key is None:
                self._database.execute("DELETE FROM messages WHERE id = ?", (number,))
            else:
                self._remember_key(number, now)
            self._outcomes.append(outcome_of(number, "sent"))
            self.put_back(channel)
            self._expire(now)
            return self._hold_first(channel)

    def mark_failed(self, number: int, reason: str, now: float, *, doubt: bool) -> None:
        """Count a failed attempt; with ``doubt`` the message may have been sent. It stays queued until it expires."""
        query = "UPDATE messages SET attempts = attempts + 1, reason = ?, doubt = coalesce(?, doubt) WHERE id = ?"
        with self._changing():
            self._database.execute(query, (reason, reason if doubt else None, number))
            self._database.execute("DELETE FROM held WHERE id = ?", (number,))
            self._expire(now)

    def mark_rejected(self, number: int, reason: str) -> None:
        """Set a message aside that can never be sent."""
        with self._changing():
            self._set_aside("rejected", outcome_of(number, "rejected", reason))
            self._database.execute("DELETE FROM held WHERE id = ?", (number,))

    def put_back(self, channel: str) -> None:
        """Release the held message of a channel, if there is one."""
        with self._faults():
            self._database.execute("DELETE FROM held WHERE channel = ?", (channel,))

    def expire(self, now: float) -> None:
        """Set aside the messages that are past their time, and forget the keys that are."""
        self._reported = -1
        with self._changing():
            self._expire(now)

    def list(self, channels: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Return what is queued, expired or rejected, oldest first, without the payloads."""
        with self._faults():
            rows = self._database.execute(
                "SELECT id, channel, state, queued, expires, key, size, attempts, reason FROM messages"
                " WHERE state <> 'sent' ORDER BY id"
            ).fetchall()
        names = ("id", "channel", "state", "queued_at", "expires_at", "key", "size", "attempts", "reason")
        return [dict(zip(names, row, strict=True)) for row in rows if not channels or row[1] in channels]

    def remove(self, numbers: Sequence[int]) -> int:
        """Remove messages, all or none, and return how many.

        Raises:
            UsageError: a number is unknown.
            WscliError: one of them is being sent.
        """
        wanted = dict.fromkeys(numbers)
        with self._changing():
            for number in wanted:
                if self._database.execute("SELECT 1 FROM held WHERE id = ?", (number,)).fetchone():
                    raise WscliError(
                        f"message {number} is being sent at this moment, and none was removed",
                        "`wscli outbox ls` says whether it still waits",
                    )
                if not self._remove("id = ?", number):
                    raise UsageError(f"no message {number} is in the outbox", "`wscli outbox ls` lists them")
        return len(wanted)

    def remove_expired(self) -> int:
        """Remove all expired messages, and return how many."""
        with self._changing():
            return self._remove("state = ?", "expired")

    def remove_channel(self, channel: str) -> tuple[int, bool]:
        """Remove the messages of a channel; return how many, and whether one was kept because it is being sent."""
        with self._changing():
            held = self._database.execute("SELECT 1 FROM held WHERE channel = ?", (channel,)).fetchone()
            return self._remove("channel = ?", channel), held is not None

    def _remove(self, condition: str, value: object) -> int:
        rows = self._database.execute(
            f"SELECT id, state, doubt FROM messages WHERE {condition} AND state <> 'sent'"  # noqa: S608 - a condition of ours
            " AND id NOT IN (SELECT id FROM held)",
            (value,),
        ).fetchall()
        self._database.executemany("DELETE FROM messages WHERE id = ?", [(number,) for number, _, _ in rows])
        self._outcomes += [
            outcome_of(number, "removed", "it was removed", doubt) for number, state, doubt in rows if state == "queued"
        ]
        return len(rows)

    def _expire(self, now: float) -> None:
        rows = self._database.execute(
            "SELECT id, reason, doubt FROM messages INDEXED BY by_expiry WHERE state = 'queued'"
            " AND expires IS NOT NULL AND expires <= ? AND id NOT IN (SELECT id FROM held)",
            (now,),
        ).fetchall()
        for number, reason, doubt in rows:
            self._set_aside("expired", outcome_of(number, "expired", reason, doubt))
        self._database.execute("DELETE FROM messages WHERE state = 'sent' AND sent <= ?", (now - KEY_LIFETIME,))

    def _set_aside(self, state: str, outcome: QueueOutcome) -> None:
        self._database.execute(
            "UPDATE messages SET state = ?, reason = ? WHERE id = ?", (state, outcome["reason"], outcome["id"])
        )
        self._outcomes.append(outcome)

    def _remember_key(self, number: int, now: float) -> None:
        self._database.execute(
            "UPDATE messages SET state = 'sent', sent = ?, payload = NULL, reason = NULL WHERE id = ?", (now, number)
        )
        self._database.execute(
            "DELETE FROM messages WHERE id IN (SELECT id FROM messages INDEXED BY by_sent"
            " WHERE state = 'sent' ORDER BY sent DESC LIMIT -1 OFFSET ?)",
            (MAX_KEYS,),
        )

    def _hold_first(self, channel: str) -> QueuedMessage | None:
        row = self._database.execute(
            "SELECT id, payload, binary, expires FROM messages"
            " WHERE channel = ? AND state = 'queued' AND state <> 'sent' ORDER BY id LIMIT 1",  # as the index has it
            (channel,),
        ).fetchone()
        if row is None:
            return None
        self._database.execute("INSERT INTO held VALUES (?, ?)", (channel, row[0]))
        return QueuedMessage(row[0], row[1], bool(row[2]), row[3])

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Change all or nothing: a transaction, or a part of the open one."""
        told, inside = len(self._outcomes), self._database.in_transaction
        try:
            with self._faults(), savepoint(self._database) if inside else transaction(self._database):
                yield
        except BaseException:
            del self._outcomes[told:]
            raise

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise fault(self._path, error) from None
