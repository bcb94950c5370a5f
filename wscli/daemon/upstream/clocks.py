"""The clocks of an upstream: its waits, the age of its connection, and how long it has been without health."""

from __future__ import annotations

import random
from collections.abc import Callable

from wscli.clock import Clock
from wscli.config.models.upstream import Rotate
from wscli.core.backoff import BackoffPolicy, delay_for
from wscli.core.commands import ScheduleLook, ScheduleRetry, ScheduleRotation, ScheduleSubscription
from wscli.core.failures import Failure, FailureKind
from wscli.core.states import ChannelState, Snapshot
from wscli.timing import RESOLUTION, OneShot, Schedule

__all__ = [
    "HANDOVER", "HealthClock", "RotationTimer", "SilenceTimer", "least_life", "retry_delay", "subscription_delay",
]  # fmt: skip

SHORTEST_ROTATION = 1.0
"""Least seconds between two rotations, whatever the life of a token."""
HANDOVER = 5.0
"""Seconds after the end of a connection within which its successor must be ready; later it is an outage."""
SPREAD = 0.1
"""The largest share by which ``max_age`` and ``look_again`` are shortened, so that not all dial together."""


def retry_delay(
    policy: BackoffPolicy, command: ScheduleRetry | ScheduleLook, failure: Failure | None, chance: random.Random
) -> float:
    """Give the seconds to wait before the next attempt.

    After a token source failed, all upstreams wait for the same moment; each adds a first wait of its own.
    """
    if isinstance(command, ScheduleLook):
        return command.after * (1.0 - SPREAD * chance.random())
    if command.no_sooner and failure is not None and failure.kind is FailureKind.TOKEN:
        return command.no_sooner + delay_for(policy, 1, chance)
    return max(delay_for(policy, command.attempt, chance), command.no_sooner)


def subscription_delay(policy: BackoffPolicy, command: ScheduleSubscription, chance: random.Random) -> float:
    """Give the seconds to wait before a channel is subscribed anew."""
    if command.exactly:
        return command.no_sooner * (1.0 - SPREAD * chance.random())
    return max(delay_for(policy, command.attempt, chance), command.no_sooner)


def least_life(rotate: Rotate | None) -> float:
    """Give the seconds that a successor's tokens must last; one with less would be replaced at once."""
    return 0.0 if rotate is None or rotate.before_expiry is None else rotate.before_expiry + SHORTEST_ROTATION


class RotationTimer:
    """Calls ``due`` when the ready connection should be replaced, as ``rotate`` declares."""

    __slots__ = ("_chance", "_clock", "_counts", "_due", "_expires_at", "_part", "_ready_at", "_timer")

    def __init__(self, clock: Clock, chance: random.Random, schedule: Schedule, due: Callable[[], None]) -> None:
        self._clock = clock
        self._chance = chance
        self._due = due
        self._timer = OneShot(schedule)
        self._counts = False
        """Whether it waits for an age or an expiry, and not to try again."""
        self._ready_at = 0.0
        self._expires_at: float | None = None
        self._part = 1.0

    def start(self, rotate: Rotate | None, expires_at: float | None) -> None:
        """Count the age of a connection that is ready now; ``expires_at``, on ``Clock.boottime``, is its tokens'."""
        self._counts = True
        self._ready_at, self._expires_at = self._clock.monotonic(), expires_at
        self._part = 1.0 if rotate is None else 1.0 - SPREAD * self._chance.random()
        self.reset(rotate)

    def reset(self, rotate: Rotate | None) -> None:
        """Set the timer again: another ``rotate`` is declared, or the machine slept while a token's life went on."""
        if self._counts:
            self._timer.cancel()
            delay = None if rotate is None else self._delay(rotate)
            if delay is not None:
                self._timer.start(delay, self._fire)

    def retry(self, policy: BackoffPolicy, command: ScheduleRotation) -> None:
        """Be due again after the wait for failed successors."""
        self._counts = False
        delay = delay_for(policy, command.failures, self._chance)
        self._timer.start(max(delay, command.no_sooner, SHORTEST_ROTATION), self._fire)

    def cancel(self) -> None:
        """Never be due, until the next ``start``."""
        self._counts = False
        self._timer.cancel()

    def _delay(self, rotate: Rotate) -> float | None:
        delays = []
        if rotate.max_age is not None:
            delays.append(rotate.max_age * self._part - (self._clock.monotonic() - self._ready_at))
        if rotate.before_expiry is not None and self._expires_at is not None:
            left = self._expires_at - self._clock.boottime()
            # a token that does not last so long: half of what is left
            delays.append(left - rotate.before_expiry if left > rotate.before_expiry else left / 2)
        return max(SHORTEST_ROTATION, min(delays)) if delays else None

    def _fire(self) -> None:
        self._counts = False
        self._due()


class SilenceTimer:
    """Calls ``silent`` once, when no message arrived for ``seconds``; time in which reading is held does not count."""

    __slots__ = ("_clock", "_heard_at", "_held", "_seconds", "_silent", "_timer")

    def __init__(
        self,
        seconds: float,
        clock: Clock,
        schedule: Schedule,
        *,
        held: Callable[[], bool],
        silent: Callable[[], None],
    ) -> None:
        """``held`` says whether reading is held now; ``heard`` must be called when that ends."""
        self._seconds = seconds
        self._clock = clock
        self._held = held
        self._silent = silent
        self._timer = OneShot(schedule)
        self._heard_at = clock.monotonic()
        self._timer.start(seconds, self._due)

    def heard(self) -> None:
        """Count from now."""
        self._heard_at = self._clock.monotonic()

    def cancel(self) -> None:
        """Never call."""
        self._timer.cancel()

    def _due(self) -> None:
        if self._held():
            self.heard()
        left = self._heard_at + self._seconds - self._clock.monotonic()
        if left > RESOLUTION:
            self._timer.start(left, self._due)
        else:
            self._silent()


class HealthClock:
    """Counts the time without health, in seconds; time without a network is not counted."""

    __slots__ = ("_clock", "_ended_at", "_offline_since", "_since")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: float | None = None
        self._offline_since = 0.0
        self._ended_at: float | None = None

    def hand_over(self) -> None:
        """Note that a ready connection ended whose successor is being opened."""
        self._ended_at = self._clock.monotonic()

    def handed_over(self) -> bool:
        """Whether the connection that is ready now is such a successor, and was ready within ``HANDOVER``."""
        ended_at, self._ended_at = self._ended_at, None
        return ended_at is not None and self._clock.monotonic() - ended_at <= HANDOVER

    def dialled(self) -> None:
        """Count from the first dial."""
        self._ended_at = None
        self._since = self._clock.monotonic() if self._since is None else self._since

    def changed(self, before: Snapshot, after: Snapshot) -> None:
        """Stop counting where earlier failures were forgotten, and while no network leads to the server."""
        now = self._clock.monotonic()
        if after.generation != before.generation and after.failure is None and not after.failures:
            self._since = None
        was_offline, is_offline = before.state is ChannelState.OFFLINE, after.state is ChannelState.OFFLINE
        if is_offline and not was_offline:
            self._offline_since = now
        elif was_offline and not is_offline and self._since is not None:
            self._since += now - self._offline_since

    def healthy_for(self, ready_at: float | None) -> float:
        """Give how long a connection has been ready by now."""
        return 0.0 if ready_at is None else self._clock.monotonic() - ready_at

    def judged(self, ready_at: float | None, reset_after: float) -> tuple[float, float]:
        """Give how long a connection was ready, and how long the upstream has been without health.

        ``reset_after`` is the time after which a ready connection counts as healthy.
        """
        now, healthy_for = self._clock.monotonic(), self.healthy_for(ready_at)
        if healthy_for >= reset_after:
            self._since = now
        return healthy_for, 0.0 if self._since is None else now - self._since
