"""Debounces events: a burst is one change."""

from __future__ import annotations

from collections.abc import Callable

from wscli.clock import Clock
from wscli.timing import RESOLUTION, OneShot, Schedule

__all__ = ["Debounce"]


class Debounce:
    """Calls ``action`` ``quiet`` seconds after the last event of a burst, at most ``longest`` after the first."""

    def __init__(
        self,
        action: Callable[[], None],
        *,
        clock: Clock,
        schedule: Schedule,
        quiet: float,
        longest: float,
    ) -> None:
        self._action = action
        self._clock = clock
        self._quiet = quiet
        self._longest = longest
        self._first = 0.0
        self._last = 0.0
        self._timer = OneShot(schedule)

    def event(self) -> None:
        """Record an event."""
        self._last = self._clock.monotonic()
        if not self._timer.pending:
            self._first = self._last
            self._set_timer()

    def cancel(self) -> None:
        """Drop the current burst."""
        self._timer.cancel()

    def _due(self) -> float:
        return min(self._last + self._quiet, self._first + self._longest)

    def _set_timer(self) -> None:
        self._timer.start(self._due() - self._clock.monotonic(), self._ring)

    def _ring(self) -> None:
        if self._due() > self._clock.monotonic() + RESOLUTION:
            self._set_timer()  # there were further events
            return
        self._action()
