"""The broker's state of one source."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from wscli.control.messages import TokenStats
from wscli.core.failures import Failure
from wscli.tokens.errors import TokenFailed
from wscli.tokens.fetcher import BrokerToken
from wscli.tokens.memory import TokenMemory, memory_path
from wscli.tokens.models import TokenSource

__all__ = ["CacheEntry", "make_entry"]


@dataclass(slots=True)
class CacheEntry:
    """A source, its token, the current fetch, and counters; all times are on ``Clock.boottime``."""

    source: TokenSource
    token: BrokerToken | None = None
    refresh_at: float | None = None
    """A use after this time starts a background fetch; None: never."""
    made_of: Mapping[str, int] = field(default_factory=dict)
    task: asyncio.Task[BrokerToken | Failure] | None = None
    memory: TokenMemory = field(default_factory=TokenMemory)
    fetches: int = 0
    served: int = 0
    failures: int = 0
    failure: Failure | None = None
    """Why the last completed fetch failed; None: it did not, or there was none."""
    proven: bool = False
    """Whether the last completed fetch succeeded."""
    attempts: int = 0
    """Number of failed fetches in a row."""
    failed_at: float = -math.inf
    retry_at: float = -math.inf
    """The source is not asked before this time."""
    asked_until: float = -math.inf
    """The source itself asked to wait until then, with ``Retry-After``."""

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
        self.token, self.made_of = token, made_of
        life = None if token.expires_at is None else token.expires_at - began
        self.refresh_at = None if life is None else began + life * self.source.refresh

    def succeed(self) -> None:
        """Forget the failures."""
        self.failure, self.proven = None, True
        self.forget_waits()

    def fail(self, failure: Failure, now: float) -> None:
        """Record a failure."""
        self.failures += 1
        self.failure, self.proven, self.failed_at = failure, False, now

    def wait(self, now: float, *, by_hand: bool = False) -> float:
        """Give the seconds until the source may be asked; by hand, only a wait that it asked for counts."""
        return max(0.0, (self.asked_until if by_hand else self.retry_at) - now)

    def back_off(self, now: float, began: float, delay: float, retry_after: float | None) -> None:
        """Wait ``delay`` seconds until the source is asked again, or ``retry_after`` where that is longer.

        Fetches that failed beside each other are one failure; ``began`` is the start of this one.
        """
        self.asked_until = max(self.asked_until, now + (retry_after or 0.0))
        if began >= self.failed_at:
            self.attempts += 1
            self.retry_at = now + delay
        self.retry_at = max(self.retry_at, self.asked_until)

    def error(self, name: str, failure: Failure, now: float) -> TokenFailed:
        """Give the error of a user of token ``name``, with the time until the source is asked again."""
        if not (left := self.wait(now)):
            return TokenFailed(failure)
        hint = f"`wscli token refresh {name}` asks at once"
        if self.wait(now, by_hand=True):
            hint = f"its endpoint asked to wait; `wscli token forget {name}` ends the wait"
        return TokenFailed(replace(failure, retry_after=left), hint)

    def forget_waits(self) -> None:
        """Let the next use ask the source."""
        self.attempts, self.retry_at, self.asked_until = 0, -math.inf, -math.inf

    def forget(self) -> None:
        """Discard the token, a refresh token that is remembered, and the wait of the source."""
        self.drop()
        self.forget_waits()
        if self.source.remember:
            self.memory.forget()

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
        elif self.failure is not None:
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
            "reason": None if self.failure is None else self.failure.text,
            "retry_in_s": round(wait, 3) if (wait := self.wait(now)) else None,
        }


def make_entry(name: str, source: TokenSource, state: Path | None) -> CacheEntry:
    """Make the entry of a source; ``state`` is the directory of what outlives the manager, where there is one."""
    if not source.remember or source.oauth2 is None or state is None:
        return CacheEntry(source)
    return CacheEntry(source, memory=TokenMemory(memory_path(state, name), source.oauth2.identity))
