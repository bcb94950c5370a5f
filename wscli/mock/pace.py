"""When a message is due: the times of a recording, at a speed."""

from __future__ import annotations

__all__ = ["Gauge", "Pace"]


class Gauge:
    """Seconds from one message to the next; a wall clock may step back, and then none have passed."""

    def __init__(self) -> None:
        self._last: float | None = None

    def passed(self, ts: float) -> float:
        """Give the seconds since the message before; of the first one none."""
        last, self._last = self._last, ts
        return 0.0 if last is None else max(0.0, ts - last)


class Pace:
    """The waits of one replay. They are reckoned from its beginning: what a slow client takes is made up for.

    Args:
        speed: how many of the recording's seconds pass in one; infinity waits for nothing.
        now: when it begins, in seconds of the clock that ``wait`` is asked by.

    """

    def __init__(self, speed: float, now: float) -> None:
        self._speed = speed
        self._due = now
        self._gauge = Gauge()

    def wait(self, ts: float, now: float) -> float:
        """Give the seconds until the message of this time is due."""
        return self._until(self._gauge.passed(ts), now)

    def again(self, pause: float, now: float) -> float:
        """Begin again after so many of the recording's seconds; give the seconds until then."""
        self._gauge = Gauge()
        return self._until(pause, now)

    def _until(self, seconds: float, now: float) -> float:
        self._due += seconds / self._speed
        return max(0.0, self._due - now)
