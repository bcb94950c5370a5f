"""The time, as a parameter: what reads a clock is handed one, so that tests never wait."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Three clocks, all in seconds."""

    def monotonic(self) -> float:
        """Time that stands still while the machine sleeps: deadlines and waits."""

    def boottime(self) -> float:
        """Time that runs on while the machine sleeps: the expiry of tokens."""

    def wall(self) -> float:
        """Time since the epoch, as people and records use it."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """The clock of the event loop: ``CLOCK_MONOTONIC`` on Linux."""
        return time.monotonic()

    def boottime(self) -> float:
        """``CLOCK_BOOTTIME``; where there is none, as on macOS, ``CLOCK_MONOTONIC`` counts sleep itself.

        ``time.monotonic()`` does not there: Python takes it from ``mach_absolute_time()``, which stands still.
        """
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))

    def wall(self) -> float:
        """``CLOCK_REALTIME``."""
        return time.time()
