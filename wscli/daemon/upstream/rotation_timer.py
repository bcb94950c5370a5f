"""When a ready connection is due to be replaced, as ``rotate`` declares it."""

from __future__ import annotations

import random
from collections.abc import Callable

from wscli.clock import Clock
from wscli.config.models.upstream import Rotate
from wscli.timing import Schedule, Timer

__all__ = ["SHORTEST", "Rotation"]

SHORTEST = 1.0
"""Seconds between two rotations at least, whatever the life of a token."""
SPREAD = 0.1
"""The part of ``max_age`` by which it is shortened at most, lest connections of one start be replaced at one time."""


class Rotation:
    """The timer of one connection's rotations."""

    def __init__(self, clock: Clock, chance: random.Random, schedule: Schedule, due: Callable[[], None]) -> None:
        self._clock = clock
        self._chance = chance
        self._schedule = schedule
        self._due = due
        self._timer: Timer | None = None
        self._counts = False
        """Whether it waits for an age or an expiry: it is neither due, nor to be tried again."""
        self._ready_at = 0.0
        self._expires_at: float | None = None
        self._part = 1.0

    def begin(self, rotate: Rotate | None, expires_at: float | None) -> None:
        """Count from now, where a connection is ready whose tokens expire at ``expires_at`` on ``Clock.boottime``."""
        self._counts = True
        self._ready_at, self._expires_at = self._clock.monotonic(), expires_at
        self._part = 1.0 if rotate is None else 1.0 - SPREAD * self._chance.random()
        self.look(rotate)

    def look(self, rotate: Rotate | None) -> None:
        """Count anew: another ``rotate`` is declared, or the machine slept while a token's life went on."""
        if self._counts:
            self._cancel_timer()
            delay = None if rotate is None else self._delay(rotate)
            if delay is not None:
                self._timer = self._schedule(delay, self._fire)

    def again(self, delay: float) -> None:
        """Be due once more, this many seconds from now."""
        self.cancel()
        self._timer = self._schedule(delay, self._fire)

    def cancel(self) -> None:
        """Be due no more."""
        self._counts = False
        self._cancel_timer()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _delay(self, rotate: Rotate) -> float | None:
        delays = []
        if rotate.max_age is not None:
            delays.append(rotate.max_age * self._part - (self._clock.monotonic() - self._ready_at))
        if rotate.before_expiry is not None and self._expires_at is not None:
            left = self._expires_at - self._clock.boottime()
            # of a token that does not even last so long, half of what is left
            delays.append(left - rotate.before_expiry if left > rotate.before_expiry else left / 2)
        return max(SHORTEST, min(delays)) if delays else None

    def _fire(self) -> None:
        self._timer, self._counts = None, False
        self._due()
