"""The broker's state of one source."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from wscli.control.messages import TokenStats
from wscli.core.events import Failure
from wscli.tokens.fetcher import BrokerToken
from wscli.tokens.memory import TokenMemory
from wscli.tokens.models import TokenSource

__all__ = ["CacheEntry"]

_MIN_PAUSE, _MAX_PAUSE = 1.0, 30.0


@dataclass(slots=True)
class CacheEntry:
    """A source, its token, the current fetch, and counters; all times are on ``Clock.boottime``."""

    source: TokenSource
    token: BrokerToken | None = None
    refresh_at: float | None = None
    """A use after this time starts a background fetch; None: never."""
    life: float = 0.0
    """Seconds from the token's fetch to its expiry."""
    made_of: Mapping[str, int] = field(default_factory=dict)
    task: asyncio.Task[BrokerToken | Failure] | None = None
    memory: TokenMemory = field(default_factory=TokenMemory)
    fetches: int = 0
    served: int = 0
    failures: int = 0
    failed: bool = False
    """Whether the last completed fetch failed."""

    @property
    def fetching(self) -> asyncio.Task[BrokerToken | Failure] | None:
        """The fetch in progress."""
        return None if self.task is None or self.task.done() else self.task

    def valid(self, now: float) -> BrokerToken | None:
        """The token, unless it has expired."""
        token = self.token
        return None if token is None or (token.expires_at is not None and token.expires_at <= now) else token

    def keep(self, token: BrokerToken, made_of: Mapping[str, int], began: float) -> None:
        """Store a new token, whose life counts from ``began``."""
        self.token, self.made_of, self.failed = token, made_of, False
        self.life = 0.0 if token.expires_at is None else token.expires_at - began
        self.refresh_at = None if token.expires_at is None else began + self.life * self.source.refresh

    def fail(self, now: float, retry_after: float | None) -> None:
        """Record a failure; a stored token is refreshed again only after a pause."""
        self.failures += 1
        self.failed = True
        if self.refresh_at is not None:
            pause = min(max(self.life / 20, _MIN_PAUSE), _MAX_PAUSE)
            self.refresh_at = now + max(pause, retry_after or 0.0)

    def drop(self) -> None:
        """Discard the token."""
        self.token, self.refresh_at, self.made_of = None, None, {}

    def stats(self, now: float) -> TokenStats:
        """Give the object of ``stats --json``."""
        token = self.valid(now)
        if token is not None:
            state = "valid"
        elif self.fetching is not None:
            state = "fetching"
        elif self.failed:
            state = "failed"
        else:
            state = "empty" if self.token is None else "expired"
        left = None if token is None or token.expires_at is None else token.expires_at - now
        return {
            "state": state,
            "expires_in_s": None if left is None else round(left, 3),
            "fetches": self.fetches,
            "served": self.served,
            "failures": self.failures,
        }
