"""What the store takes and returns: its limits, messages, counts and outcomes."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = [
    "MAX_OUTBOX_BYTES",
    "MAX_KEYS",
    "MAX_MESSAGES",
    "NO_MESSAGES",
    "KEY_LIFETIME",
    "CommitReport",
    "MessageCounts",
    "Outcome",
    "QueueReceipt",
    "QueuedMessage",
    "Removal",
]

MAX_MESSAGES = 10_000
"""Messages of an instance, including those that expired or were rejected and are not removed yet."""
MAX_OUTBOX_BYTES = 64 << 20
"""Bytes of their payloads."""
KEY_LIFETIME = 7 * 86_400.0
"""Seconds for which the key of a sent message is remembered."""
MAX_KEYS = 100_000
"""Remembered keys of an instance; beyond it the oldest is forgotten first."""

MessageCounts = dict[str, int]
"""How many messages a channel has, by state."""
NO_MESSAGES: MessageCounts = {"queued": 0, "expired": 0, "rejected": 0}


class QueuedMessage(NamedTuple):
    """The next message to send; ``expires`` is on the wall clock."""

    id: int
    payload: bytes
    binary: bool
    expires: float | None


class QueueReceipt(NamedTuple):
    """The result of ``add``: ``new`` messages are queued, numbered from ``first`` on.

    With ``new`` 0 the key was known: ``first`` is the message that has it, and ``state`` is ``queued`` or ``sent``.
    """

    first: int
    new: int
    state: str


class Removal(NamedTuple):
    """How many messages were removed, and whether one was kept because it is being sent."""

    messages: int
    held: bool


class Outcome(NamedTuple):
    """How a message left the queue. ``unknown``: it expired or was removed, and may have been sent before."""

    id: int
    outcome: Literal["sent", "expired", "rejected", "removed", "unknown"]
    reason: str | None = None


class CommitReport(NamedTuple):
    """The state of the outbox after a commit."""

    counts: dict[str, MessageCounts]
    """By channel, for those that have messages."""
    outcomes: list[Outcome]
    """Those since the last report."""
    next_expiry: float | None
    """When the next queued message expires, on the wall clock; messages that are being sent do not expire."""
