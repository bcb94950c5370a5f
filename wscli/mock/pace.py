"""When a message of a recording is due at a speed."""

from __future__ import annotations

__all__ = ["Gauge", "Pace"]


class Gauge:
    """Measures the seconds from one message to the next: 0 where the wall clock stepped back."""

    def __init__(self) -> None:
        self._last: float | None = None

    def passed(self, ts: float) -> float:
        """Give the seconds since the previous message; 0 for the first one."""
        last, self._last = self._last, ts
        return 0.0 if last is None else max(0.0, ts - last)


class Pace:
    """The waits of one replay, measured from its start: a delay by a slow client shortens the waits after it.

    Args:
        speed: seconds of the recording that pass in one second; infinity never waits.
        now: the start, in seconds of the clock of ``wait``.

    """

    def __init__(self, speed: float, now: float) -> None:
        self._speed = speed
        self._due = now
        self._gauge = Gauge()

    def wait(self, ts: float, now: float) -> float:
        """Give the seconds until a message with this time is due."""
        return self._until(self._gauge.passed(ts), now)

    def again(self, pause: float, now: float) -> float:
        """Start over after ``pause`` seconds of the recording; give the seconds until then."""
        self._gauge = Gauge()
        return self._until(pause, now)

    def _until(self, seconds: float, now: float) -> float:
        self._due += seconds / self._speed
        return max(0.0, self._due - now)
