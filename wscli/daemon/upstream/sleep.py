"""Detects that the machine slept: CLOCK_BOOTTIME runs during sleep, CLOCK_MONOTONIC does not."""

from __future__ import annotations

from wscli.clock import Clock

__all__ = ["SleepDetector"]

MIN_SLEEP = 1.0
"""Seconds; a shorter sleep ends no connection."""


class SleepDetector:
    """Compares the two clocks at each look."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead: float | None = None

    def begin(self) -> None:
        """Start, unless started."""
        if self._ahead is None:
            self._ahead = self._clock.boottime() - self._clock.monotonic()

    def look(self) -> float:
        """Give the seconds slept since the last look or ``begin``; zero for less than a second."""
        before = self._ahead
        self._ahead = self._clock.boottime() - self._clock.monotonic()
        slept = 0.0 if before is None else self._ahead - before
        return slept if slept >= MIN_SLEEP else 0.0

    def forget(self) -> None:
        """Stop until ``begin``."""
        self._ahead = None
