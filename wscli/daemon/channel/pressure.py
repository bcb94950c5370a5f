"""Back-pressure of a history that writes more slowly than the server sends: the server waits, for a second at most.

After that messages reach their readers and are not written, which leaves a gap ``disk``: a disk that is full must not
stop a channel.
"""

from __future__ import annotations

from collections.abc import Callable

from wscli.timing import Schedule, Timer

__all__ = ["PATIENCE", "Pressure"]

PATIENCE = 1.0
"""Seconds for which reading from the server is paused at most."""


class Pressure:
    """Holds one channel back. ``pause`` and ``resume`` act on whatever connection it has.

    Args:
        pause: stop reading from the server.
        resume: go on.
        overflow: let what comes not be written, until the history has caught up.
        schedule: sets the timer.

    """

    def __init__(
        self, pause: Callable[[], None], resume: Callable[[], None], overflow: Callable[[], None], schedule: Schedule
    ) -> None:
        self._pause = pause
        self._resume = resume
        self._overflow = overflow
        self._schedule = schedule
        self._timer: Timer | None = None

    def changed(self, full: bool) -> None:
        """Take the history's word; it may say ``full`` again and again."""
        if not full:
            self.close()
        elif self._timer is None:
            self._timer = self._schedule(PATIENCE, self._over)
            self._pause()

    def close(self) -> None:
        """End a pause now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._resume()

    def _over(self) -> None:
        self._timer = None
        self._overflow()
        self._resume()
