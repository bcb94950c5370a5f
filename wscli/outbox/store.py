"""The outbox on the disk: a row a message, and what became of it.

Nothing here knows of channels' states or of asyncio; every call blocks until its transaction is on the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from wscli.database import DatabaseError
from wscli.errors import NotSent, UsageError, WscliError
from wscli.outbox.books import Fate
from wscli.outbox.ledger import Ledger, doubtful

__all__ = ["MOST_BYTES", "MOST_MESSAGES", "Added", "Message", "OutboxStore", "Removed"]

MOST_MESSAGES = 10_000
"""Messages of an instance, those included that expired or were rejected and not yet removed."""
MOST_BYTES = 64 << 20
"""Bytes of their payloads."""


class Message(NamedTuple):
    """What is to be sent next; ``expires`` is on the wall clock."""

    id: int
    payload: bytes
    binary: bool
    expires: float | None


class Added(NamedTuple):
    """What became of messages that were to be accepted: ``new`` of them are queued, numbered from ``first`` on.

    With none new their key was known: that of message ``first``, which is ``queued`` or was ``sent``.
    """

    first: int
    new: int
    state: str


class Removed(NamedTuple):
    """How many messages were removed, and whether one stayed, since it is being sent."""

    messages: int
    held: bool


class OutboxStore(Ledger):
    """The messages of one instance; one thread uses it at a time. ``now`` is always the wall clock.

    The message that ``next`` or ``mark_sent`` gives is held: it is being sent, so it neither expires nor is removed
    until it is marked or put back.

    Every method raises DatabaseError where the file cannot be read or written; then nothing has changed.
    """

    def together(self, calls: Sequence[Callable[[OutboxStore], Any]]) -> list[Any]:
        """Carry out calls in one transaction, and give the result or the exception of each.

        Where the disk refuses them together each is tried alone: it may take the others without the one.
        """
        if len(calls) > 1:
            try:
                with self._marking():
                    return [self._carry_out(call) for call in calls]
            except DatabaseError:
                pass  # nothing has changed
        results: list[Any] = []
        for call in calls:
            try:
                results.append(self._carry_out(call))
            except DatabaseError as error:
                results.append(error)
        return results

    def _carry_out(self, call: Callable[[OutboxStore], Any]) -> Any:
        try:
            return call(self)
        except DatabaseError:
            raise
        except Exception as error:  # it is for the caller, who waits in another thread
            return error

    def add(
        self, channel: str, payloads: Sequence[bytes], *, binary: bool, ttl: float | None, key: str | None, now: float
    ) -> Added:
        """Accept messages, all or none; one whose key is known is not queued again.

        Raises:
            NotSent: they would be over a limit.

        """
        expires = None if ttl is None else now + ttl
        with self._changing():
            self._expire(now)
            if key is not None and (known := self._known(channel, key)) is not None:
                return Added(known[0], 0, known[1])
            self._require_room(payloads)
            self._database.executemany(
                "INSERT INTO messages (channel, state, queued, expires, key, binary, size, payload)"
                " VALUES (?, 'queued', ?, ?, ?, ?, ?, ?)",
                [(channel, now, expires, key, binary, len(payload), payload) for payload in payloads],
            )
            (last,) = self._database.execute("SELECT last_insert_rowid()").fetchone()
            self._books.count(channel, "queued", len(payloads), sum(map(len, payloads)))
            self._expiry_known &= expires is None
        return Added(last - len(payloads) + 1, len(payloads), "queued")

    def next(self, channel: str, now: float) -> Message | None:
        """Give the oldest queued message of a channel that has not expired, to be sent."""
        self.put_back(channel)
        if self._is_due(now):
            self.expire(now)
        with self._faults():
            return self._hold_first(channel)

    def mark_sent(self, number: int, now: float) -> Message | None:
        """Forget a message that was sent, except its key, and give the next of its channel, to be sent."""
        with self._marking():
            channel, size, key = self._of(number, "channel, size, key")
            if key is None:
                self._database.execute("DELETE FROM messages WHERE id = ?", (number,))
            else:
                self._remember_key(number, now)
            self._books.count(channel, "queued", -1, -size)
            self._books.tell(Fate(number, "sent"))
            self._expire(now)
            return self._hold_first(channel)

    def mark_failed(self, number: int, reason: str, now: float, *, doubt: bool) -> None:
        """Count an attempt that failed, with ``doubt`` one that may have; the message waits on, if it has time left."""
        with self._marking():
            self._database.execute(
                "UPDATE messages SET attempts = attempts + 1, reason = ?, doubt = coalesce(?, doubt) WHERE id = ?",
                (reason, reason if doubt else None, number),
            )
            self.put_back(self._of(number, "channel")[0])
            self._expire(now)

    def mark_rejected(self, number: int, reason: str) -> None:
        """Put a message aside that can never be sent."""
        with self._marking():
            channel, size = self._of(number, "channel, size")
            self._put_aside(channel, size, "rejected", Fate(number, "rejected", reason))
            self.put_back(channel)

    def put_back(self, channel: str) -> None:
        """Let go of the message that was to be sent: this attempt is over."""
        self._held.pop(channel, None)
        self._expiry_known = False

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
            WscliError: one of them is being sent.

        """
        wanted = dict.fromkeys(numbers)
        with self._changing():
            for number in wanted:
                if number in self._held.values():
                    raise WscliError(
                        f"message {number} is being sent at this moment, and none was removed",
                        "`wscli outbox ls` says whether it still waits",
                    )
                if not self._remove("id = ?", number):
                    raise UsageError(f"no message {number} is in the outbox", "`wscli outbox ls` lists them")
        return len(wanted)

    def remove_expired(self) -> int:
        """Remove what expired."""
        with self._changing():
            return self._remove("state = ?", "expired")

    def remove_channel(self, channel: str) -> Removed:
        """Remove all that a channel has, except the keys of what was sent, and the message that is being sent."""
        with self._changing():
            return Removed(self._remove("channel = ?", channel), channel in self._held)

    def _remove(self, condition: str, value: object) -> int:
        rows = self._database.execute(
            f"SELECT id, channel, state, size, doubt FROM messages WHERE {condition} AND state <> 'sent'",  # noqa: S608 - a condition of ours
            (value,),
        ).fetchall()
        held = set(self._held.values())
        rows = [row for row in rows if row[0] not in held]
        for number, channel, state, size, doubt in rows:
            self._database.execute("DELETE FROM messages WHERE id = ?", (number,))
            self._books.count(channel, state, -1, -size)
            if state == "queued":
                self._books.tell(doubtful(number, doubt) or Fate(number, "removed", "it was removed"))
        self._expiry_known = False
        return len(rows)

    def _hold_first(self, channel: str) -> Message | None:
        row = self._database.execute(
            "SELECT id, payload, binary, expires FROM messages WHERE state = 'queued' AND channel = ?"
            " ORDER BY id LIMIT 1",
            (channel,),
        ).fetchone()
        self.put_back(channel)
        if row is None:
            return None
        self._held[channel] = row[0]
        return Message(row[0], row[1], bool(row[2]), row[3])

    @contextmanager
    def _marking(self) -> Iterator[None]:
        """Change all or nothing, and let go of what was being sent only with it."""
        held = dict(self._held)
        try:
            with self._changing():
                yield
        except BaseException:
            self._held = held
            raise

    def _of(self, number: int, columns: str) -> Any:
        with self._faults():
            return self._database.execute(
                f"SELECT {columns} FROM messages WHERE id = ?",  # noqa: S608 - names of ours
                (number,),
            ).fetchone()

    def _known(self, channel: str, key: str) -> tuple[int, str] | None:
        found: tuple[int, str] | None = self._database.execute(
            "SELECT id, state FROM messages WHERE channel = ? AND key = ? AND state IN ('queued', 'sent')",
            (channel, key),
        ).fetchone()
        return found

    def _require_room(self, payloads: Sequence[bytes]) -> None:
        count, held = self._books.messages, self._books.size
        hint = "`wscli outbox ls` lists what waits, `wscli outbox rm` removes it"
        if count + len(payloads) > MOST_MESSAGES:
            raise NotSent(f"the outbox is full: it holds {count} of {MOST_MESSAGES} messages", hint)
        if held + sum(map(len, payloads)) > MOST_BYTES:
            raise NotSent(f"the outbox is full: it holds {held} bytes of {MOST_BYTES >> 20} MiB", hint)
