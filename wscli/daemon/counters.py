"""What is counted of a channel."""

from __future__ import annotations

from typing import Any

from wscli.events import Failure

__all__ = ["Counters"]


class Counters:
    """A channel's counters since the manager started; they only grow."""

    __slots__ = ("connects", "last_close", "received", "received_bytes", "rtt", "sent", "sent_bytes")

    def __init__(self) -> None:
        self.received = 0
        self.received_bytes = 0
        self.sent = 0
        self.sent_bytes = 0
        self.connects = 0
        self.rtt: float | None = None
        self.last_close: Failure | None = None

    def count_received(self, messages: int, size: int) -> None:
        """Count messages that came, of ``size`` bytes together."""
        self.received += messages
        self.received_bytes += size

    def count_sent(self, payload: bytes) -> None:
        """Count a message that went out."""
        self.sent += 1
        self.sent_bytes += len(payload)

    def as_dict(self) -> dict[str, Any]:
        """The counters as ``stats --json`` names them; times in seconds."""
        closed = self.last_close
        return {
            "received": self.received,
            "received_bytes": self.received_bytes,
            "sent": self.sent,
            "sent_bytes": self.sent_bytes,
            "connects": self.connects,
            "reconnects": max(0, self.connects - 1),
            "rtt_s": None if self.rtt is None else round(self.rtt, 6),
            "last_close": closed and {"code": closed.code, "reason": closed.close_reason, "by": closed.by},
        }
