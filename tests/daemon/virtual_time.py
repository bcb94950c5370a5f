"""Time that a test moves: three clocks and a timer queue that agree with each other."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable


class VirtualTimer:
    """A call that is to come."""

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due = due
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualTime:
    """A ``Clock`` and a ``Schedule`` in one; nothing moves but by ``advance``."""

    def __init__(self, start: float = 1000.0) -> None:
        self.now = start
        self.slept = 0.0
        self._timers: list[tuple[float, int, VirtualTimer]] = []
        self._numbers = itertools.count()

    def monotonic(self) -> float:
        return self.now

    def boottime(self) -> float:
        return self.now + self.slept

    def wall(self) -> float:
        return 1_764_000_000.0 + self.now + self.slept

    def schedule(self, delay: float, callback: Callable[[], None]) -> VirtualTimer:
        timer = VirtualTimer(self.now + max(0.0, delay), callback)
        heapq.heappush(self._timers, (timer.due, next(self._numbers), timer))
        return timer

    @property
    def pending(self) -> list[VirtualTimer]:
        """The timers that will still ring."""
        return [timer for _, _, timer in self._timers if not timer.cancelled]

    async def settle(self) -> None:
        """Let the tasks that can go on do so."""
        for _ in range(8):
            await asyncio.sleep(0)

    async def advance(self, seconds: float) -> None:
        """Move on, ringing each timer at its time, and letting tasks settle in between."""
        end = self.now + seconds
        await self.settle()
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            if timer.cancelled:
                continue
            self.now = max(self.now, due)
            timer.callback()
            await self.settle()
        self.now = end

    def ring_next(self) -> None:
        """Move to the next timer and ring it, without letting any task run."""
        timer = min(self.pending, key=lambda timer: timer.due)
        timer.cancel()
        self.now = max(self.now, timer.due)
        timer.callback()

    def stall(self, seconds: float) -> None:
        """Move on while the program stands still: no timer rings; the next ``advance`` rings them late."""
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        """Let the machine sleep: CLOCK_BOOTTIME runs on, CLOCK_MONOTONIC stands."""
        self.slept += seconds
