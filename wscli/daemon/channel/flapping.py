"""Report a channel that is lost again and again, even briefly: a warning, a problem, and a line once it is stable."""

from __future__ import annotations

import logging
from typing import NamedTuple

from wscli.clock import Clock
from wscli.problems import Problems
from wscli.timing import OneShot, Schedule
from wscli.values import format_duration

__all__ = ["Flapping"]

logger = logging.getLogger("wscli.channel")


class Window(NamedTuple):
    """A channel with ``losses`` in ``seconds`` flaps, until ``calm`` seconds pass without a loss."""

    losses: int
    seconds: float
    calm: float
    name: str


WINDOWS = (Window(3, 60.0, 60.0, "minute"), Window(10, 3600.0, 900.0, "hour"))
"""The narrowest first."""
MAX_LOSSES = 1000
"""Times of losses that are kept."""
RECHECK = 10.0
"""Seconds between two looks at the clock while it flaps."""
REMIND = 3600.0
"""Seconds between two warnings while it flaps."""


class Flapping:
    """Counts the losses of one channel, and states its flapping among its ``problems``."""

    __slots__ = ("_began", "_clock", "_name", "_problems", "_timer", "_times", "_told_at", "_total", "_why", "_window")

    def __init__(self, name: str, problems: Problems, clock: Clock, schedule: Schedule) -> None:
        self._name = name
        self._problems = problems
        self._clock = clock
        self._times: list[float] = []
        """When it was lost, on ``Clock.monotonic``."""
        self._window: Window | None = None
        """The window in which the present flapping began; None while the channel does not flap."""
        self._began = self._told_at = 0.0
        self._total = 0
        """Losses since the present flapping began."""
        self._why = ""
        self._timer = OneShot(schedule)

    def lost(self, why: str) -> None:
        """Count a loss; ``why`` is one line for people."""
        now = self._clock.monotonic()
        self._times = [at for at in self._times if at > now - WINDOWS[-1].seconds][1 - MAX_LOSSES :]
        self._times.append(now)
        self._total += 1
        self._why = why
        if self._window is None:
            self._window = next((one for one in WINDOWS if self._within(one) >= one.losses), None)
            if self._window is None:
                return
            self._total = self._within(self._window)
            self._began = self._times[-self._total]
            self._warn()
        self._recheck()

    def end(self) -> None:
        """Forget all losses; sum up the flapping in progress in one line."""
        if self._window is not None:
            lasted = format_duration(max(1.0, round(self._times[-1] - self._began)))
            self._log(logging.INFO, "stable", f"was lost {self._total} times in {lasted}: {self._why}")
            self._problems.mended("connection", log=False)
        self._times, self._window, self._total = [], None, 0
        self._timer.cancel()

    def _recheck(self) -> None:
        """State the flapping as of now, or end it."""
        now, window = self._clock.monotonic(), self._window
        if window is None or now - self._times[-1] >= window.calm:
            self.end()
            return
        if now - self._told_at >= REMIND:
            self._warn()
        self._problems.state("connection", self._text(), log=False)
        self._timer.start(RECHECK, self._recheck)

    def _warn(self) -> None:
        self._told_at = self._clock.monotonic()
        self._log(logging.WARNING, "flapping", self._text())

    def _text(self) -> str:
        for window in WINDOWS:
            if (count := self._within(window)) >= window.losses:
                return f"lost {count} times in the last {window.name}: {self._why}"
        since = format_duration(round(self._clock.monotonic() - self._began))
        return f"lost {self._total} times in the last {since}: {self._why}"

    def _within(self, window: Window) -> int:
        since = self._clock.monotonic() - window.seconds
        return sum(at > since for at in self._times)

    def _log(self, level: int, event: str, text: str) -> None:
        logger.log(level, "%s: %s", self._name, text, extra={"channel": self._name, "event": event})
