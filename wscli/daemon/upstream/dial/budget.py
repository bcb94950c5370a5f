"""The connect budget of an endpoint limits its dials, so that many channels do not dial at once.

The limiter is GCRA (ITU-T I.371, virtual scheduling): dials keep the rate's interval; after a pause a burst of a tenth
of a second's dials, at least one, may go at once. No second has more than ``1.1 * rate + 1`` dials.

A server that answers one dial with 429, or with 503 and ``Retry-After``, means all dials: the budget holds back every
further dial of its endpoint, except those that a person asked for.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from bisect import bisect_left, insort
from operator import attrgetter

from wscli.clock import Clock
from wscli.core.backoff import BackoffPolicy, longest_delay
from wscli.core.failures import Failure, FailureKind
from wscli.timing import RESOLUTION, OneShot, Schedule, call_later
from wscli.values import Rate

__all__ = ["ConnectBudget", "Ticket"]

_rank = attrgetter("rank")
TOO_MANY_REQUESTS, UNAVAILABLE = 429, 503  # RFC 6585, section 4; RFC 9110, section 15.6.4
BURST_WINDOW = 0.1
"""Seconds whose dials may be made at once."""


class Ticket:
    """A place in the queue of a budget, for one dial; whoever enters awaits ``granted`` next, and leaves in the end."""

    __slots__ = ("_budget", "by_hand", "rank", "turn")

    def __init__(self, budget: ConnectBudget, number: int, *, critical: bool, by_hand: bool) -> None:
        self.by_hand = by_hand
        self.rank = (not by_hand, not critical, number)
        """Sorts dials by hand first, critical before ordinary ones, earlier before later ones."""
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the dial may begin, cancelled with its waiter."""
        self._budget = budget

    @property
    def ahead(self) -> int:
        """How many are before it now; later critical dials still overtake an ordinary one."""
        return self._budget.ahead_of(self)

    @property
    def held(self) -> tuple[float, str] | None:
        """For how many seconds the endpoint is held back, and why; None: it is not."""
        return None if self.by_hand else self._budget.held

    async def granted(self) -> None:
        """Wait for the turn; the dial counts when this returns."""
        await self.turn
        self._budget.take(self)

    def leave(self) -> None:
        """Leave the queue; without effect once it was granted."""
        self._budget.drop(self)


class ConnectBudget:
    """Grants dials at a rate, those of critical channels first.

    A turn counts only when its waiter takes it, so that a cancelled dial does not delay others.
    """

    def __init__(self, rate: Rate, clock: Clock, *, schedule: Schedule = call_later) -> None:
        self._clock = clock
        self._queue: list[Ticket] = []
        self._called: set[Ticket] = set()
        self._numbers = itertools.count()
        self._tat = -math.inf
        """The theoretical arrival time of the next dial (GCRA)."""
        self._timer = OneShot(schedule)
        self._held_until = -math.inf
        self._why = ""
        self._refusals = 0
        """Number of answers in a row that held it back."""
        self._set_rate(rate)

    def __len__(self) -> int:
        return len(self._queue) + len(self._called)

    @property
    def rate(self) -> Rate:
        """How many dials in how many seconds; a new value also applies to waiting dials."""
        return self._rate

    @rate.setter
    def rate(self, rate: Rate) -> None:
        now = self._clock.monotonic()
        owed = max(0.0, self._tat - now) / self._interval
        self._set_rate(rate)
        # A number of dials is owed, not a time: one granted at 1/5m must not delay 100/s for minutes.
        self._tat = now + min(owed, self._burst) * self._interval
        self.pump()

    def _set_rate(self, rate: Rate) -> None:
        self._rate = rate
        self._interval = rate.interval
        self._burst = max(1, math.floor(BURST_WINDOW * rate.events / rate.seconds))

    @property
    def held(self) -> tuple[float, str] | None:
        """For how many seconds dials are held back, and why; None: they are not."""
        left = self._held_until - self._clock.monotonic()
        return (left, self._why) if left > 0 else None

    def refused(self, failure: Failure, policy: BackoffPolicy) -> None:
        """Hold back dials after an answer that means them all: as long as it says, else by the backoff."""
        retry_after = failure.retry_after
        if failure.kind is not FailureKind.STATUS or not (
            failure.code == TOO_MANY_REQUESTS or (failure.code == UNAVAILABLE and retry_after is not None)
        ):
            return
        if self.held is None:  # else it answers a dial that began before
            self._refusals += 1
        until = self._clock.monotonic() + (
            longest_delay(policy, self._refusals) if retry_after is None else retry_after
        )
        if until > self._held_until:
            self._held_until, self._why = until, failure.text

    def accepted(self) -> None:
        """Forget the refusals: a dial succeeded."""
        if self.held is None:
            self._refusals = 0

    def release(self) -> None:
        """Hold back nothing: another server is dialled."""
        self._held_until, self._refusals = -math.inf, 0
        self.pump()

    def enter(self, *, critical: bool, by_hand: bool = False) -> Ticket:
        """Join the queue."""
        ticket = Ticket(self, next(self._numbers), critical=critical, by_hand=by_hand)
        insort(self._queue, ticket, key=_rank)
        self.pump()
        return ticket

    def ahead_of(self, ticket: Ticket) -> int:
        """Count the tickets before it."""
        return bisect_left(self._queue, ticket.rank, key=_rank) if self.holds(ticket) else 0

    def holds(self, ticket: Ticket) -> bool:
        """Whether it is in the queue."""
        index = bisect_left(self._queue, ticket.rank, key=_rank)
        return index < len(self._queue) and self._queue[index] is ticket

    def take(self, ticket: Ticket) -> None:
        """Count the dial of a ticket that was called."""
        self._called.remove(ticket)
        self._tat = max(self._clock.monotonic(), self._tat) + self._interval
        self.pump()

    def drop(self, ticket: Ticket) -> None:
        """Remove a ticket."""
        if self.holds(ticket):
            self._queue.remove(ticket)
        self._called.discard(ticket)
        self.pump()

    def pump(self) -> None:
        """Call every ticket that is due, and set the timer for the next."""
        while ticket := next((one for one in self._queue if not one.turn.done()), None):
            # one that was called and has not taken its turn counts as well
            now = self._clock.monotonic()
            tat = max(now, self._tat) + len(self._called) * self._interval if self._called else self._tat
            due = tat - (self._burst - 1) * self._interval
            if not ticket.by_hand:
                due = max(due, self._held_until)
            if due > now + RESOLUTION:
                self._timer.start(due - now, self.pump)
                return
            self._queue.remove(ticket)
            self._called.add(ticket)
            ticket.turn.set_result(None)
        self._timer.cancel()
