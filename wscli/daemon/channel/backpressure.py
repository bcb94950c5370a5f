"""Back-pressure of one channel: it holds back its upstream while its readers or its history cannot keep up.

Two causes, each bounded in time, so that pings are answered and the connection lives:

- *Readers.* The window of the history is what a reader can lag without loss. A reader that took bytes in the last
  second and lags by over half of it holds reading back, until it has caught up to a quarter or ``STRETCH`` has passed.
  A reader that stands still holds nothing back: it loses its own window, and is told so by a gap.
- *History.* A history that writes more slowly than the server sends holds reading back for ``PATIENCE``. After that
  messages reach their readers and are not written, which leaves a gap ``disk``: a full disk must not stop a channel.

The channel only says that it holds back; whether reading pauses is the upstream's rule (``wscli.daemon.upstream``).
"""

from __future__ import annotations

from collections.abc import Callable

from wscli.clock import Clock
from wscli.timing import OneShot, Schedule

__all__ = ["MOVING", "PATIENCE", "PAUSE_AT", "RESUME_AT", "STRETCH", "Backpressure"]

MOVING = 1.0
"""Seconds since a reader last took bytes, for it to count as moving."""
PAUSE_AT = 0.5
"""The share of the window by which a moving reader may lag before it holds reading back."""
RESUME_AT = 0.25
"""The share at which it has caught up."""
STRETCH = 0.25
"""Seconds for which readers hold reading back at a stretch, at most."""
PATIENCE = 1.0
"""Seconds for which the history holds reading back, at most."""


class Backpressure:
    """Says whether one channel holds its upstream back.

    Args:
        hold: called with True as the channel begins to hold reading back, with False as it stops.
        overflow: stops persisting messages until the history's write queue has drained.
    """

    __slots__ = ("_clock", "_hold", "_lagging", "_overflow", "_patience", "_stretch", "holding")

    def __init__(
        self, hold: Callable[[bool], None], overflow: Callable[[], None], clock: Clock, schedule: Schedule
    ) -> None:
        self._hold = hold
        self._overflow = overflow
        self._clock = clock
        self._lagging: set[object] = set()
        self._stretch = OneShot(schedule)
        self._patience = OneShot(schedule)
        self.holding = False
        """Whether the channel holds reading back now."""

    def report_lag(self, reader: object, lag: float, moved_at: float) -> None:
        """Note how far a reader lags.

        Args:
            reader: the reader, by identity.
            lag: the share of the window by which it lags; 1 is all of it.
            moved_at: when it last took bytes, on ``Clock.monotonic``.
        """
        lags = lag > (RESUME_AT if reader in self._lagging else PAUSE_AT)
        if lags and self._clock.monotonic() - moved_at < MOVING:
            self._lagging.add(reader)
            if not self._stretch.pending:
                self._stretch.start(STRETCH, self._stretched)
                self._decide()
        else:
            self.forget_reader(reader)

    def forget_reader(self, reader: object) -> None:
        """Note that a reader caught up, stands still or is gone."""
        self._lagging.discard(reader)
        if not self._lagging and self._stretch.cancel():
            self._decide()

    def report_history(self, full: bool) -> None:
        """Note whether the history's write queue is full; it may say so repeatedly."""
        if not full:
            self._patience.cancel()
        elif not self._patience.pending:
            self._patience.start(PATIENCE, self._lost_patience)
        self._decide()

    def reset(self) -> None:
        """Hold nothing back: the connection it was for is over."""
        self._lagging.clear()
        self._stretch.cancel()
        self._patience.cancel()
        self._decide()

    def _stretched(self) -> None:
        self._lagging.clear()
        self._decide()

    def _lost_patience(self) -> None:
        self._overflow()
        self._decide()

    def _decide(self) -> None:
        holding = self._stretch.pending or self._patience.pending
        if holding is not self.holding:
            self.holding = holding
            self._hold(holding)
