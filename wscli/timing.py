"""Timers, as a parameter: what waits is handed a ``Schedule``, so that tests drive virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

__all__ = ["RESOLUTION", "Schedule", "Timer", "call_later"]

RESOLUTION = 1e-6
"""Seconds by which a timer may fire early: what is due within them is due."""


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """Let it not come."""


Schedule = Callable[[float, Callable[[], None]], Timer]
"""Call the function once, after so many seconds of ``Clock.monotonic``."""


def call_later(delay: float, callback: Callable[[], None]) -> Timer:
    """Schedule on the running loop, whose time is ``CLOCK_MONOTONIC``."""
    return asyncio.get_running_loop().call_later(delay, callback)
