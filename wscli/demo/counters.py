"""What the back end saw: the figures that prove what a client did, and did not do."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from wscli.clock import Clock

__all__ = ["Counters", "Dial", "PathCount", "Received", "most_within"]

_KEPT = 100_000
"""Dials and messages that are remembered one by one."""


class Dial(NamedTuple):
    """A request for an upgrade, refused ones included; ``at`` is monotonic seconds."""

    at: float
    path: str


class Received(NamedTuple):
    """A message from a client."""

    path: str
    data: str | bytes


@dataclass(slots=True)
class PathCount:
    """The connections of one path: opened in all, open now, at most at once; and messages both ways."""

    total: int = 0
    now: int = 0
    peak: int = 0
    received: int = 0
    sent: int = 0


def most_within(times: list[float], seconds: float) -> int:
    """Count the most events in any window of so many seconds."""
    window: deque[float] = deque()
    most = 0
    for at in sorted(times):
        window.append(at)
        while window[0] <= at - seconds:
            window.popleft()
        most = max(most, len(window))
    return most


class Counters:
    """Counts, and wakes whoever waits for a figure to be reached."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._changed = asyncio.Event()
        self.all = PathCount()
        self.paths: dict[str, PathCount] = {}
        self.dials: deque[Dial] = deque(maxlen=_KEPT)
        self.messages: deque[Received] = deque(maxlen=_KEPT)

    def reset(self) -> None:
        """Start counting anew; connections that are open stay counted as open now, and as the peak."""
        self.dials.clear()
        self.messages.clear()
        self.paths = {path: PathCount(now=old.now, peak=old.now) for path, old in self.paths.items() if old.now}
        self.all = PathCount(now=self.all.now, peak=self.all.now)
        self.changed()

    def of(self, path: str) -> PathCount:
        """Give the count of one path."""
        return self.paths.setdefault(path, PathCount())

    def dialled(self, path: str) -> None:
        """Note a request for an upgrade."""
        self.dials.append(Dial(self._clock.monotonic(), path))
        self.changed()

    def opened(self, path: str) -> None:
        """Note that a connection is open."""
        for count in (self.all, self.of(path)):
            count.total += 1
            count.now += 1
            count.peak = max(count.peak, count.now)
        self.changed()

    def closed(self, path: str) -> None:
        """Note that a connection has ended."""
        self.all.now -= 1
        self.of(path).now -= 1
        self.changed()

    def received(self, path: str, data: str | bytes) -> None:
        """Note a message from a client."""
        self.all.received += 1
        self.of(path).received += 1
        self.messages.append(Received(path, data))
        self.changed()

    def sent(self, path: str, count: int = 1) -> None:
        """Note messages to a client."""
        self.all.sent += count
        self.of(path).sent += count

    def most_dials_within(self, seconds: float) -> int:
        """Count the most dials in any window of so many seconds."""
        return most_within([dial.at for dial in self.dials], seconds)

    def changed(self) -> None:
        """Wake those who wait in ``until``."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def until(self, predicate: Callable[[], bool], timeout: float) -> None:
        """Return once the predicate holds; it is asked again at each change.

        Raises:
            TimeoutError: it did not hold within ``timeout`` seconds.

        """
        async with asyncio.timeout(timeout):
            while not predicate():
                await self._changed.wait()

    def as_dict(self) -> dict[str, Any]:
        """Give all figures as plain values."""
        return {
            "connections": asdict(self.all),
            "paths": {path: asdict(count) for path, count in sorted(self.paths.items())},
            "dials": {"total": len(self.dials), "most_in_1s": self.most_dials_within(1.0)},
        }
