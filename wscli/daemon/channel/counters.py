"""Counters of a channel, and of all channels that ever had one declared name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from wscli.control.messages import ChannelCounts
from wscli.core.failures import Failure
from wscli.daemon.upstream.members.member import DialCount

__all__ = ["MAX_REASONS", "OTHER", "Counters", "OwnCount", "Totals"]

MAX_REASONS = 32
"""Reasons to reconnect counted apart: a server may close with any of four thousand codes."""
OwnCount = Literal["total", "refused", "received", "sent"]
"""Upstreams that clients asked for, those that they did not get, and messages from and to the server."""
OTHER = "other"
"""The reason under which all further ones are counted."""


@dataclass(slots=True, eq=False)
class Counters:
    """Counters since the manager started; they only grow. ``total`` counts the same."""

    total: Counters | None = None
    received: int = 0
    received_bytes: int = 0
    sent: int = 0
    sent_bytes: int = 0
    connects: int = 0
    dials: dict[DialCount, int] = field(default_factory=lambda: dict.fromkeys(get_args(DialCount), 0))
    """What the attempts to connect did."""
    own: dict[OwnCount, int] = field(default_factory=lambda: dict.fromkeys(get_args(OwnCount), 0))
    """What clients with upstreams of their own did."""
    closes: int = 0
    """Connections that ended."""
    subscription_ends: int = 0
    """Subscriptions that were refused or ended, while the connection that others share went on."""
    last_message_at: float | None = None
    """Wall-clock time of the last message received."""
    reconnects: dict[str, int] = field(default_factory=dict)
    """By the reason code with which the connection before ended."""
    backfilled: int = 0
    """Messages found by backfill requests."""
    duplicates: int = 0
    """Messages dropped as duplicates."""
    rotations: int = 0
    """Connections that replaced an open one; not reconnections."""
    gaps: dict[str, int] = field(default_factory=dict)
    """By reason."""
    rtt: float | None = None
    last_close: Failure | None = None
    _left: str | None = None

    def count_received(self, messages: int, size: int) -> None:
        """Count received messages of ``size`` bytes in all."""
        self.received += messages
        self.received_bytes += size
        if self.total is not None:
            self.total.count_received(messages, size)

    def count_sent(self, size: int) -> None:
        """Count a sent message of so many bytes."""
        self.sent += 1
        self.sent_bytes += size
        if self.total is not None:
            self.total.count_sent(size)

    def count_connection(self, left: str | None = None) -> None:
        """Count an opened connection: a reconnection, if one ended before it; ``left`` tells a total its reason."""
        left = left or self._left
        self.connects += 1
        if left is not None:
            reason = left if left in self.reconnects or len(self.reconnects) < MAX_REASONS else OTHER
            self.reconnects[reason] = self.reconnects.get(reason, 0) + 1
        if self.total is not None:
            self.total.count_connection(left)

    def count_dial(self, what: DialCount) -> None:
        """Count what an attempt to connect did."""
        self.dials[what] += 1
        if self.total is not None:
            self.total.count_dial(what)

    def count_own(self, what: OwnCount, number: int = 1) -> None:
        """Count what clients with upstreams of their own did."""
        self.own[what] += number
        if self.total is not None:
            self.total.count_own(what, number)

    def count_rotation(self) -> None:
        """Count a connection that replaced an open one."""
        self.connects += 1
        self.rotations += 1
        self._left = None
        if self.total is not None:
            self.total.count_rotation()

    def count_end(self, failure: Failure, reason: str) -> None:
        """Count the end of a connection; keep it and its reason code until the next one opens."""
        self.closes += 1
        self.last_close, self._left = failure, reason
        if self.total is not None:
            self.total.closes += 1

    def count_subscription_end(self) -> None:
        """Count a subscription that was refused or ended."""
        self.subscription_ends += 1
        if self.total is not None:
            self.total.count_subscription_end()

    def count_gap(self, reason: str) -> None:
        """Count a gap."""
        self.gaps[reason] = self.gaps.get(reason, 0) + 1
        if self.total is not None:
            self.total.count_gap(reason)

    def as_dict(self) -> ChannelCounts:
        """The counters as ``stats --json`` names them; times in seconds."""
        end = self.last_close
        return {
            "received": self.received,
            "received_bytes": self.received_bytes,
            "sent": self.sent,
            "sent_bytes": self.sent_bytes,
            "connects": self.connects,
            "reconnects": sum(self.reconnects.values()),
            "reconnects_by_reason": dict(self.reconnects),
            "rotations": self.rotations,
            "dials": self.dials["dials"],
            "dial_failures": self.dials["dial_failures"],
            "refusals": self.dials["refusals"],
            "retries": self.dials["retries"],
            "closes": self.closes,
            "subscription_ends": self.subscription_ends,
            "duplicates": self.duplicates,
            "backfilled": self.backfilled,
            "rtt_s": None if self.rtt is None else round(self.rtt, 6),
            "last_message_at": self.last_message_at,
            "last_close": None if end is None else {"code": end.code, "reason": end.close_reason, "by": end.by},
        }


class Totals:
    """The counters of declared names; a template's count all channels made from it, forgotten ones included.

    They never fall, as monitoring systems expect of counters, whatever is forgotten or reloaded.
    """

    def __init__(self) -> None:
        self._counters: dict[str, Counters] = {}

    def of(self, name: str) -> Counters:
        """Give the counters of a declared name, such as ``rooms/{id}``."""
        return self._counters.setdefault(name, Counters())

    def all(self) -> Mapping[str, Counters]:
        """Give them by declared name, in the order in which each was first used."""
        return self._counters
