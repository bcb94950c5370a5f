"""One keep-alive wheel for all connections: pings, deadlines, round-trip times, and the notice that the machine slept.

Liveness is judged by pong, not by traffic. A ping is a task with a deadline: with a full write buffer the library's own
``ping`` blocks without end. One timer serves all connections.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import random
from bisect import bisect_left, insort
from collections.abc import Callable
from functools import partial

from wscli.clock import Clock
from wscli.config.models.upstream import Keepalive
from wscli.daemon.upstream.sleep import SleepDetector
from wscli.errors import NotSent
from wscli.timing import RESOLUTION, Schedule, Timer, call_later
from wscli.transport.link import Link

__all__ = ["KeepaliveWheel", "Watch"]

logger = logging.getLogger("wscli.keepalive")

TICK = 3.0
"""Seconds at most between two looks at the clocks, and so between a wake and its notice."""

STALLED = 0.25
"""A deadline that is noticed so many seconds late was missed by us: the pong may wait unread in the socket."""

GRACE = 1.0
"""Seconds that a ping whose deadline we missed gets on top, once."""


class Watch:
    """One connection on the wheel; over once it was cancelled or found dead."""

    __slots__ = (
        "_wheel",
        "deadline",
        "entry",
        "graced",
        "keepalive",
        "link",
        "next_ping",
        "on_dead",
        "on_rtt",
        "pending",
        "sent",
    )

    def __init__(
        self,
        wheel: KeepaliveWheel,
        link: Link,
        keepalive: Keepalive,
        on_rtt: Callable[[float], None],
        on_dead: Callable[[], None],
    ) -> None:
        self.link = link
        self.keepalive = keepalive
        self.on_rtt = on_rtt
        self.on_dead = on_dead
        self.pending: asyncio.Task[float] | None = None
        """The ping under way."""
        self.graced = False
        """Whether the ping under way had its grace."""
        self.next_ping = math.inf
        self.sent = -math.inf
        self.deadline = math.inf
        self.entry: tuple[float, int, Watch] | None = None
        """Its place on the wheel's agenda."""
        self._wheel = wheel

    def probe(self) -> None:
        """Ping now, unless a ping is under way or the watch is over."""
        self._wheel.probe(self)

    def cancel(self) -> None:
        """End the watch: no callback comes after this, and no ping goes on."""
        self._wheel.drop(self)

    def update(self, keepalive: Keepalive) -> None:
        """Take other times in place.

        A ping under way gets a longer timeout at once; a shorter one counts from now, so that nobody dies of a reload.
        """
        self._wheel.update(self, keepalive)


class KeepaliveWheel:
    """Pings every watched connection once an interval, each at its own moment.

    ``on_wake`` is told for how many seconds the machine slept. ``start`` looks for sleep even while nothing is watched.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        chance: random.Random,
        on_wake: Callable[[float], None],
        schedule: Schedule = call_later,
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._on_wake = on_wake
        self._schedule = schedule
        self._started = False
        self._watches: set[Watch] = set()
        self._agenda: list[tuple[float, int, Watch]] = []
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[float]] = set()
        self._timer: Timer | None = None
        self._timer_due = math.inf
        self._sleep = SleepDetector(clock)

    def __len__(self) -> int:
        return len(self._watches)

    def start(self) -> None:
        """Look for sleep from now on, watched connections or not."""
        self._started = True
        self._set_timer()

    def add(
        self, link: Link, keepalive: Keepalive, *, on_rtt: Callable[[float], None], on_dead: Callable[[], None]
    ) -> Watch:
        """Watch a connection; its first ping falls anywhere within its interval, so that many do not ping as one.

        Args:
            link: what to ping.
            keepalive: how often, and how long a pong may take; without an interval only ``probe`` pings.
            on_rtt: called with the seconds between a ping and its pong.
            on_dead: called once when no pong came in time; the watch is over then, and the link still to be aborted.

        """
        watch = Watch(self, link, keepalive, on_rtt, on_dead)
        self._watches.add(watch)
        self._spread(watch)
        self._place(watch)
        return watch

    def update(self, watch: Watch, keepalive: Keepalive) -> None:
        """Change the times of a watch."""
        if watch not in self._watches:
            return
        before, watch.keepalive = watch.keepalive, keepalive
        if keepalive.ping != before.ping:
            self._spread(watch)
        if watch.pending is not None:
            now = self._clock.monotonic()
            watch.deadline = max(watch.sent + keepalive.timeout, min(watch.deadline, now + keepalive.timeout))
        self._place(watch)

    def probe(self, watch: Watch) -> None:
        """Ping a watched connection out of turn; its later pings keep their moments."""
        if watch in self._watches and watch.pending is None:
            self._ping(watch)

    def drop(self, watch: Watch) -> None:
        """Forget a watch and what it has under way."""
        self._watches.discard(watch)
        self._unplace(watch)
        if watch.pending is not None:
            watch.pending.cancel()
            watch.pending = None
        self._set_timer()

    async def close(self) -> None:
        """End every watch, and wait until no task is left."""
        self._started = False
        for watch in tuple(self._watches):
            self.drop(watch)
        self._set_timer()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spread(self, watch: Watch) -> None:
        ping = watch.keepalive.ping
        first = math.inf if ping is None else self._clock.monotonic() + self._chance.uniform(0.0, ping)
        watch.next_ping = first

    def _ping(self, watch: Watch) -> None:
        watch.sent = self._clock.monotonic()
        watch.deadline = watch.sent + watch.keepalive.timeout
        watch.graced = False
        watch.pending = asyncio.get_running_loop().create_task(watch.link.ping(), name="keepalive ping")
        self._tasks.add(watch.pending)
        watch.pending.add_done_callback(partial(self._answered, watch))
        self._place(watch)

    def _answered(self, watch: Watch, task: asyncio.Task[float]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if watch.pending is not task:
            return  # cancelled by us, and the watch may be over
        watch.pending = None
        if error is not None and not isinstance(error, NotSent):
            # An adapter that breaks must not silence the watch: a connection that cannot be pinged counts as dead.
            logger.warning("a ping failed with %s, which no transport should raise", type(error).__name__)
            self._give_up(watch)
            return
        # A link that ended (NotSent, or the transport cancelled its pong) reports that by itself, with its close code.
        self._place(watch)
        if error is None and not task.cancelled():
            watch.on_rtt(task.result())

    def _give_up(self, watch: Watch) -> None:
        self.drop(watch)
        watch.on_dead()

    def _place(self, watch: Watch) -> None:
        """Put a watch on the agenda: at the deadline of its ping, or at its next ping."""
        self._unplace(watch)
        now, ping = self._clock.monotonic(), watch.keepalive.ping
        if watch.pending is None and ping is not None and watch.next_ping <= now:
            watch.next_ping += ping * (math.floor((now - watch.next_ping) / ping) + 1)
        due = watch.next_ping if watch.pending is None else watch.deadline
        if due < math.inf:
            watch.entry = (due, next(self._numbers), watch)
            insort(self._agenda, watch.entry)
        self._set_timer()

    def _unplace(self, watch: Watch) -> None:
        if watch.entry is not None:
            del self._agenda[bisect_left(self._agenda, watch.entry)]
            watch.entry = None

    def _set_timer(self) -> None:
        """Set the one timer; one that rings sooner than needed stays, and sets the next."""
        if not self._watches and not self._started:
            self._cancel_timer()
            self._sleep.forget()
            return
        self._sleep.begin()
        now = self._clock.monotonic()
        due = min(now + TICK, self._agenda[0][0] if self._agenda else math.inf)
        if self._timer is not None and self._timer_due <= due:
            return
        self._cancel_timer()
        self._timer, self._timer_due = self._schedule(due - now, self._turn), due

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_due = None, math.inf

    def _turn(self) -> None:
        try:
            if slept := self._sleep.look():
                self._on_wake(slept)
            now = self._clock.monotonic()
            while self._agenda and self._agenda[0][0] <= now + RESOLUTION:
                due, _, watch = self._agenda[0]
                self._due(watch, late=now - due)
        finally:  # a callback that raises must not stop the wheel
            self._timer, self._timer_due = None, math.inf
            self._set_timer()

    def _due(self, watch: Watch, *, late: float) -> None:
        if watch.pending is None:
            self._ping(watch)
        elif late >= STALLED and not watch.graced:
            watch.graced = True
            watch.deadline += late + min(GRACE, watch.keepalive.timeout)
            self._place(watch)
        else:
            self._give_up(watch)
