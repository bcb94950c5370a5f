"""The connect budget of an endpoint: dials are paced, so that many channels that lost their server do not herd.

The pacing is GCRA (ITU-T I.371, virtual scheduling): dials keep the rate's interval, and after a quiet spell as many as
a tenth of a second holds, but at least one, may go at once. So no window of one second ever sees more than
``1.1 * rate + 1`` of them.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from bisect import bisect_left, insort

from wscli.clock import Clock
from wscli.timing import RESOLUTION, Schedule, Timer, call_later
from wscli.values import Rate

__all__ = ["ConnectBudget", "Place"]

BURST_WINDOW = 0.1
"""A burst is at most what the rate allows in so many seconds."""


class Place:
    """A place in a budget's queue, for one dial. It ends when it is granted, or when its holder leaves."""

    __slots__ = ("_budget", "_turn", "rank")

    def __init__(self, budget: ConnectBudget, rank: tuple[bool, int]) -> None:
        self.rank = rank
        """Ordinary after critical, later after earlier."""
        self._budget = budget
        self._turn: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<Place ahead={self.ahead} critical={not self.rank[0]}>"

    @property
    def ahead(self) -> int:
        """How many stand before it now; critical ones that come later still step in front of an ordinary one."""
        return self._budget.ahead_of(self)

    @property
    def waits(self) -> bool:
        """Whether somebody awaits its turn; a place that nobody awaits is passed over, and keeps its rank."""
        return self._turn is not None and not self._turn.done()

    def call(self) -> None:
        """Say that it is its turn (called by the budget)."""
        if self._turn is not None:
            self._turn.set_result(None)

    async def granted(self) -> None:
        """Wait for the turn; the dial counts from the moment this returns.

        A caller that is cancelled has left the queue, and its turn goes to the next.

        Raises:
            RuntimeError: the place was granted, left or awaited before.

        """
        if self._turn is not None or not self._budget.holds(self):
            raise RuntimeError("the place was granted, left or awaited before; enter again for another dial")
        self._turn = asyncio.get_running_loop().create_future()
        self._budget.pump()
        try:
            await self._turn
        except asyncio.CancelledError:
            self.leave()
            raise
        if not self._budget.take(self):
            raise asyncio.CancelledError("the place was left")

    def leave(self) -> None:
        """Give the place up; without effect once it was granted. Whoever awaits ``granted`` is cancelled."""
        if self._turn is not None:
            self._turn.cancel()
        self._budget.drop(self)


class ConnectBudget:
    """Grants dials at a rate, critical channels first, otherwise in the order of their coming.

    A turn that was called is counted only when its waiter takes it up, so that one who went away costs nobody anything.
    """

    def __init__(self, rate: Rate, clock: Clock, *, schedule: Schedule = call_later) -> None:
        self._clock = clock
        self._schedule = schedule
        self._queue: list[Place] = []
        self._called: set[Place] = set()
        self._numbers = itertools.count()
        self._tat = -math.inf
        """The theoretical arrival time of the next dial: what GCRA keeps."""
        self._timer: Timer | None = None
        self._timer_due = math.inf
        self._set_rate(rate)

    def __len__(self) -> int:
        return len(self._queue) + len(self._called)

    @property
    def rate(self) -> Rate:
        """How many dials in how many seconds; setting it concerns those who already wait as well."""
        return self._rate

    @rate.setter
    def rate(self, rate: Rate) -> None:
        now = self._clock.monotonic()
        owed = max(0.0, self._tat - now) / self._interval
        self._set_rate(rate)
        # What is owed is a number of dials, not a time: one granted at 1/5m must not hold up 100/s for minutes.
        self._tat = now + min(owed, self._burst) * self._interval
        self.pump()

    def _set_rate(self, rate: Rate) -> None:
        self._rate = rate
        self._interval = rate.interval
        self._burst = max(1, math.floor(BURST_WINDOW * rate.events / rate.seconds))

    def enter(self, *, critical: bool) -> Place:
        """Queue up; the place is granted only while ``granted`` is awaited."""
        place = Place(self, (not critical, next(self._numbers)))
        insort(self._queue, place, key=_rank)
        return place

    def ahead_of(self, place: Place) -> int:
        """Count the places before it."""
        return bisect_left(self._queue, place.rank, key=_rank) if self.holds(place) else 0

    def holds(self, place: Place) -> bool:
        """Whether it stands in the queue."""
        index = bisect_left(self._queue, place.rank, key=_rank)
        return index < len(self._queue) and self._queue[index] is place

    def take(self, place: Place) -> bool:
        """Count the dial of a place that was called; False when it was left since."""
        if place not in self._called:
            return False
        self._called.remove(place)
        self._tat = max(self._clock.monotonic(), self._tat) + self._interval
        self.pump()
        return True

    def drop(self, place: Place) -> None:
        """Forget a place, wherever it stands."""
        if self.holds(place):
            self._queue.remove(place)
        elif place in self._called:
            self._called.remove(place)
        else:
            return
        self.pump()

    def pump(self) -> None:
        """Call every place whose turn has come, and set the one timer for the next."""
        while place := next((place for place in self._queue if place.waits), None):
            now = self._clock.monotonic()
            due = self._next_due(now)
            if due > now + RESOLUTION:
                self._set_timer(due, now)
                return
            self._queue.remove(place)
            self._called.add(place)
            place.call()
        self._cancel_timer()

    def _next_due(self, now: float) -> float:
        """When one more may be called, those counted in that were called and have not yet taken up their turn."""
        called = len(self._called)
        tat = max(now, self._tat) + called * self._interval if called else self._tat
        return tat - (self._burst - 1) * self._interval

    def _set_timer(self, due: float, now: float) -> None:
        if self._timer is None or due != self._timer_due:
            self._cancel_timer()
            self._timer, self._timer_due = self._schedule(due - now, self._rang), due

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_due = None, math.inf

    def _rang(self) -> None:
        self._timer, self._timer_due = None, math.inf
        self.pump()


def _rank(place: Place) -> tuple[bool, int]:
    return place.rank
