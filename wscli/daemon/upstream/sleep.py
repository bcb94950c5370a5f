"""The notice that the machine slept: CLOCK_BOOTTIME ran on while CLOCK_MONOTONIC stood still."""

from __future__ import annotations

from wscli.clock import Clock

__all__ = ["SleepDetector"]

SHORTEST = 1.0
"""Seconds of sleep that are worth a notice: no peer gives a connection up in less."""


class SleepDetector:
    """Compares the two clocks from look to look."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ahead: float | None = None

    def begin(self) -> None:
        """Look from now on, unless it does already."""
        if self._ahead is None:
            self._ahead = self._clock.boottime() - self._clock.monotonic()

    def look(self) -> float:
        """Seconds slept since the last look or ``begin``; zero for less than a second."""
        before = self._ahead
        self._ahead = self._clock.boottime() - self._clock.monotonic()
        slept = 0.0 if before is None else self._ahead - before
        return slept if slept >= SHORTEST else 0.0

    def forget(self) -> None:
        """Look no more until ``begin``: what happens until then concerns nobody."""
        self._ahead = None
