"""Pacing: readers that move and lag hold the upstream back, a little; a reader that stands still holds nobody back.

The window is what a reader can lag without loss. One that took bytes in the last second and lags by over half of it
pauses reading from the server, until it has caught up to a quarter or ``STRETCH`` has passed; after that at least one
batch is read before the next pause, so that pings are answered and the connection lives however slow the readers are.
"""

from __future__ import annotations

from collections.abc import Callable

from wscli.clock import Clock
from wscli.timing import Schedule, Timer

__all__ = ["MOVING", "PAUSE_AT", "RESUME_AT", "STRETCH", "Pacer"]

MOVING = 1.0
"""Seconds within which a reader took bytes, if it moves."""
PAUSE_AT = 0.5
"""The share of the window by which a moving reader may lag before it pauses reading."""
RESUME_AT = 0.25
"""The share at which it counts as caught up."""
STRETCH = 0.25
"""Seconds of one pause at most."""


class Pacer:
    """Paces one channel. ``pause`` and ``resume`` act on whatever connection it has; each call of one is followed by
    one of the other.
    """

    def __init__(
        self, pause: Callable[[], None], resume: Callable[[], None], clock: Clock, call_later: Schedule
    ) -> None:
        self._pause = pause
        self._resume = resume
        self._clock = clock
        self._call_later = call_later
        self._lagging: set[object] = set()
        self._timer: Timer | None = None

    @property
    def pausing(self) -> bool:
        """Whether reading is paused now."""
        return self._timer is not None

    def report(self, reader: object, lag: float, moved_at: float) -> None:
        """Take a reader's word.

        Args:
            reader: who says it.
            lag: how much of the window it lags by; 1 is all of it.
            moved_at: when it last took bytes, on ``Clock.monotonic``.

        """
        lags = lag > (RESUME_AT if reader in self._lagging else PAUSE_AT)
        if lags and self._clock.monotonic() - moved_at < MOVING:
            self._lagging.add(reader)
            if self._timer is None:
                self._timer = self._call_later(STRETCH, self._over)
                self._pause()
        else:
            self.forget(reader)

    def forget(self, reader: object) -> None:
        """Let a reader hold nobody back: it caught up, stands still or is gone."""
        if reader in self._lagging:
            self._lagging.discard(reader)
            if not self._lagging:
                self.close()

    def close(self) -> None:
        """End a pause now: the connection it was for is over, or no reader needs it."""
        self._lagging.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._resume()

    def _over(self) -> None:
        self._lagging.clear()
        self._timer = None
        self._resume()
