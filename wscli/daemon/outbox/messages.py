"""What the store holds at most, and what it returns."""

from __future__ import annotations

from typing import Literal, NamedTuple

from wscli.control.messages import QueueOutcome

__all__ = [
    "MAX_OUTBOX_BYTES",
    "MAX_KEYS",
    "MAX_MESSAGES",
    "NO_MESSAGES",
    "KEY_LIFETIME",
    "CommitReport",
    "Loss",
    "MessageCounts",
    "QueuedMessage",
    "outcome_of",
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


class Loss(NamedTuple):
    """What became of the messages of a file that was lost under the manager."""

    text: str
    upto: int
    """Number of the last message that is lost; 0: all were saved."""


class CommitReport(NamedTuple):
    """The state of the outbox after a commit."""

    counts: dict[str, MessageCounts]
    """By channel, for those that have messages."""
    outcomes: list[QueueOutcome]
    """Those since the last report."""
    next_expiry: float | None
    """When the next queued message expires, on the wall clock; messages that are being sent do not expire."""
    loss: Loss | None = None


def outcome_of(
    number: int,
    outcome: Literal["sent", "expired", "rejected", "removed"],
    reason: str | None = None,
    doubt: str | None = None,
) -> QueueOutcome:
    """Make the outcome of a message; one that may have been sent is ``unknown``."""
    if doubt is not None:
        return QueueOutcome(id=number, outcome="unknown", reason=f"it may have been sent: {doubt}")
    return QueueOutcome(id=number, outcome=outcome, reason=reason)
