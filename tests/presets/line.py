"""Time that a test moves, and a connection in it as the server has it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

__all__ = ["ClientLine", "VirtualClock"]


class VirtualClock:
    """A clock with timers; nothing moves but by ``advance``."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def monotonic(self) -> float:
        return self.now

    boottime = monotonic

    def wall(self) -> float:
        return 1_764_000_000.0 + self.now

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (self.now + seconds, next(self._numbers), call))

    def clear(self) -> None:
        self._timers.clear()

    def advance(self, seconds: float, after_each: Callable[[], None]) -> None:
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            self.now, _, call = heapq.heappop(self._timers)
            call()
            after_each()
        self.now = end


class ClientLine:
    """The connection as the server has it."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.send = client.say
        self.close = client.close

    def now(self) -> float:
        return self.client.clock.now

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        line = self.client.server.line
        self.client.clock.after(seconds, lambda: call() if self.client.server.line is line else None)
