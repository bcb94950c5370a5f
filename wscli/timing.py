"""Timers, as a parameter: whoever waits is given a ``Schedule``, so that tests drive virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

__all__ = ["RESOLUTION", "OneShot", "Schedule", "Timer", "call_later"]

RESOLUTION = 1e-6
"""Seconds by which a timer may fire early: what is due within them is due."""


class Timer(Protocol):
    """A scheduled call."""

    def cancel(self) -> None:
        """Cancel the call; without effect once it was made."""


Schedule = Callable[[float, Callable[[], None]], Timer]
"""Call the function once, after so many seconds of ``Clock.monotonic``."""


def call_later(delay: float, callback: Callable[[], None]) -> Timer:
    """Schedule on the running loop, whose time is ``CLOCK_MONOTONIC``."""
    return asyncio.get_running_loop().call_later(delay, callback)


class OneShot:
    """A timer with at most one call pending."""

    __slots__ = ("_schedule", "_timer")

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._timer: Timer | None = None

    @property
    def pending(self) -> bool:
        """Whether a call is scheduled."""
        return self._timer is not None

    def start(self, delay: float, callback: Callable[[], None]) -> None:
        """Call the function once, in ``delay`` seconds, instead of whatever was pending."""
        self.cancel()

        def ring() -> None:
            self._timer = None
            callback()

        self._timer = self._schedule(delay, ring)

    def cancel(self) -> bool:
        """Cancel the pending call; say whether there was one."""
        pending = self._timer is not None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return pending
