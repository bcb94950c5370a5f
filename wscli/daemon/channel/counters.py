"""What is counted of a channel, and of all channels that ever went by one declared name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wscli.core.events import Failure

__all__ = ["MOST_REASONS", "OTHER", "Counters", "Totals"]

MOST_REASONS = 32
"""Reasons to reconnect that are told apart: a server may close with any of four thousand codes."""
OTHER = "other"
"""The reason that all later ones are counted under."""


class Counters:
    """Counters since the manager started; they only grow. What is counted here is counted in ``total`` as well."""

    __slots__ = (
        "_left",
        "backfilled",
        "connects",
        "duplicates",
        "gaps",
        "last_close",
        "received",
        "received_bytes",
        "reconnects",
        "rotations",
        "rtt",
        "sent",
        "sent_bytes",
        "total",
    )

    def __init__(self, total: Counters | None = None) -> None:
        self.total = total
        self.received = 0
        self.received_bytes = 0
        self.sent = 0
        self.sent_bytes = 0
        self.connects = 0
        self.reconnects: dict[str, int] = {}
        """By the code of the reason for which the connection before it ended, or was left."""
        self.backfilled = 0
        """Messages that were asked for after a gap, and did not come over the channel."""
        self.duplicates = 0
        """Messages that were dropped, since they had come before."""
        self.rotations = 0
        """Connections that took the place of one that was open, and are no reconnections."""
        self.gaps: dict[str, int] = {}
        """By reason."""
        self.rtt: float | None = None
        self.last_close: Failure | None = None
        self._left: str | None = None

    def count_received(self, messages: int, size: int) -> None:
        """Count messages that came, of ``size`` bytes together."""
        self.received += messages
        self.received_bytes += size
        if self.total is not None:
            self.total.count_received(messages, size)

    def count_sent(self, payload: bytes) -> None:
        """Count a message that went out."""
        self.sent += 1
        self.sent_bytes += len(payload)
        if self.total is not None:
            self.total.count_sent(payload)

    def count_connection(self) -> None:
        """Count a connection that opened: a reconnection, where one ended before it."""
        self._count_connection(self._left)

    def count_rotation(self) -> None:
        """Count a connection that took the place of an open one."""
        self.connects += 1
        self.rotations += 1
        if self.total is not None:
            self.total.count_rotation()

    def count_end(self, failure: Failure, reason: str) -> None:
        """Keep how a connection ended, and the code of the reason, until the next one opens."""
        self.last_close, self._left = failure, reason

    def count_gap(self, reason: str) -> None:
        """Count a time in which messages may have been missed."""
        self.gaps[reason] = self.gaps.get(reason, 0) + 1
        if self.total is not None:
            self.total.count_gap(reason)

    def _count_connection(self, left: str | None) -> None:
        self.connects += 1
        if left is not None:
            reason = left if left in self.reconnects or len(self.reconnects) < MOST_REASONS else OTHER
            self.reconnects[reason] = self.reconnects.get(reason, 0) + 1
        if self.total is not None:
            self.total._count_connection(left)

    def as_dict(self) -> dict[str, Any]:
        """The counters as ``stats --json`` names them; times in seconds."""
        closed = self.last_close
        return {
            "received": self.received,
            "received_bytes": self.received_bytes,
            "sent": self.sent,
            "sent_bytes": self.sent_bytes,
            "connects": self.connects,
            "reconnects": sum(self.reconnects.values()),
            "reconnects_by_reason": dict(self.reconnects),
            "rotations": self.rotations,
            "duplicates": self.duplicates,
            "backfilled": self.backfilled,
            "rtt_s": None if self.rtt is None else round(self.rtt, 6),
            "last_close": closed and {"code": closed.code, "reason": closed.close_reason, "by": closed.by},
        }


class Totals:
    """The counters of declared names: of a template, those of all its instances, the forgotten ones included.

    They never fall, as a monitoring system expects of counters: neither when an instance is forgotten, nor when a
    reload takes a channel away or lets it go by another template.
    """

    def __init__(self) -> None:
        self._counters: dict[str, Counters] = {}

    def of(self, name: str) -> Counters:
        """Give the counters of a declared name, such as ``rooms/{id}``."""
        return self._counters.setdefault(name, Counters())

    def all(self) -> Mapping[str, Counters]:
        """Give them by declared name, in the order in which each was first used."""
        return self._counters
