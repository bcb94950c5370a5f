"""Who wants a channel open: its plan, a person, or its users; and how long it lingers after the last use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wscli.timing import OneShot, Schedule

__all__ = ["Usage"]


class Usage:
    """Counts the uses of one channel, and calls ``unused`` when its linger after the last one is over."""

    __slots__ = ("_closed", "_eager", "_linger", "_timer", "_unused", "_uses", "held_open")

    def __init__(self, eager: bool, linger: float, schedule: Schedule, unused: Callable[[], None]) -> None:
        self.held_open = False
        """Whether it was started by hand."""
        self._eager = eager
        self._linger = linger
        self._timer = OneShot(schedule)
        self._unused = unused
        self._uses = 0
        self._closed = False

    @property
    def in_use(self) -> bool:
        """Whether a reader or a sender holds the channel."""
        return self._uses > 0

    @property
    def wanted(self) -> bool:
        """Whether the channel should be open: eager, started by hand, or in use."""
        return self._eager or self.held_open or self._uses > 0

    @property
    def kept_open(self) -> bool:
        """Whether the channel is wanted, or in its linger."""
        return self.wanted or self._timer.pending

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the channel in use."""
        self._uses += 1
        self._timer.cancel()
        try:
            yield
        finally:
            self._uses -= 1
            self._let_go()

    def update(self, eager: bool, linger: float) -> None:
        """Apply another plan; a channel that was eager lingers from now."""
        was_eager, self._eager, self._linger = self._eager, eager, linger
        if was_eager and not eager:
            self._let_go()

    def close(self) -> None:
        """Call nothing any more."""
        self._closed = True
        self._timer.cancel()

    def _let_go(self) -> None:
        if not self.wanted and not self._closed:
            self._timer.start(self._linger, self._lingered)

    def _lingered(self) -> None:
        if not self.wanted:
            self._unused()
