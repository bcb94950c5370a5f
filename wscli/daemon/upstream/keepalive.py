"""The keep-alive of all connections: pings, deadlines, round-trip times, and sleep detection, with one timer.

Only a pong proves that a connection lives, not traffic. A ping is a task with a deadline, because it blocks while the
write buffer is full.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import random
from bisect import bisect_left, insort
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from wscli.clock import Clock
from wscli.config.models.upstream import Keepalive
from wscli.core.failures import Failure, FailureKind
from wscli.errors import NotSent
from wscli.timing import RESOLUTION, OneShot, Schedule, call_later
from wscli.transport.connection import Connection
from wscli.values import format_duration

__all__ = ["KeepaliveWheel", "KeepaliveWatch", "no_pong"]

logger = logging.getLogger("wscli.keepalive")

TICK = 3.0
"""Seconds between two looks at the clocks, and so the delay of a reported sleep."""

STALLED = 0.25
"""Seconds; a deadline that is handled so late was missed by us, and the pong may be in the socket."""

GRACE = 1.0
"""Seconds added once to a deadline that we missed."""

MIN_SLEEP = 1.0
"""Seconds; a shorter sleep ends no connection."""


def no_pong(keepalive: Keepalive) -> Failure:
    """Give the end of a connection whose pong is late."""
    text = f"no pong within {format_duration(keepalive.timeout)}"
    return Failure(FailureKind.KEEPALIVE, text, code=1006, by="us")


@dataclass(slots=True, eq=False, repr=False)
class KeepaliveWatch:
    """One connection on the wheel, until it is cancelled or found dead."""

    _wheel: KeepaliveWheel
    connection: Connection
    keepalive: Keepalive
    on_rtt: Callable[[float], None]
    on_dead: Callable[[], None]
    pending: asyncio.Task[float] | None = None
    """The ping in progress."""
    graced: bool = False
    """Whether the deadline of the ping was extended."""
    next_ping: float = math.inf
    sent: float = -math.inf
    deadline: float = math.inf
    entry: tuple[float, int, KeepaliveWatch] | None = None
    """Its entry in the wheel's agenda."""

    def probe(self) -> None:
        """Ping now, unless a ping is in progress or the watch has ended; the moments of later pings do not change."""
        if self in self._wheel.watches and self.pending is None:
            self._wheel.ping(self)

    def cancel(self) -> None:
        """End the watch and its ping; there is no callback after this."""
        self._wheel.drop(self)

    def update(self, keepalive: Keepalive) -> None:
        """Change the times.

        A ping in progress gets a longer timeout at once; a shorter one counts from now, so that a reload ends no
        connection.
        """
        self._wheel.update(self, keepalive)


class KeepaliveWheel:
    """Pings every watched connection once an interval, each at a different moment.

    ``on_wake`` gets the seconds that the machine slept. After ``start`` sleep is detected without a watched connection.
    """

    def __init__(
        self, *, clock: Clock, chance: random.Random, on_wake: Callable[[float], None], schedule: Schedule = call_later
    ) -> None:
        self._clock = clock
        self._chance = chance
        self._on_wake = on_wake
        self._started = False
        self.watches: set[KeepaliveWatch] = set()
        self._agenda: list[tuple[float, int, KeepaliveWatch]] = []
        self._numbers = itertools.count()
        self._tasks: set[asyncio.Task[float]] = set()
        self._timer = OneShot(schedule)
        self._timer_due = math.inf
        self._ahead: float | None = None
        """Seconds by which CLOCK_BOOTTIME, which runs during sleep, is ahead; None while the timer is not set."""

    def __len__(self) -> int:
        return len(self.watches)

    def start(self) -> None:
        """Detect sleep from now on, with or without watched connections."""
        self._started = True
        self._set_timer()

    def add(
        self,
        connection: Connection,
        keepalive: Keepalive,
        *,
        on_rtt: Callable[[float], None],
        on_dead: Callable[[], None],
    ) -> KeepaliveWatch:
        """Watch a connection; its first ping is at a random moment of its interval.

        Args:
            connection: the connection.
            keepalive: the interval and the timeout; without an interval only ``probe`` pings.
            on_rtt: called with the seconds between a ping and its pong.
            on_dead: called once when a pong is late; the watch has ended then, and the caller aborts the connection.

        """
        watch = KeepaliveWatch(self, connection, keepalive, on_rtt, on_dead)
        self.watches.add(watch)
        self._spread(watch)
        self._place(watch)
        return watch

    def update(self, watch: KeepaliveWatch, keepalive: Keepalive) -> None:
        """Change the times of a watch."""
        if watch not in self.watches:
            return
        before, watch.keepalive = watch.keepalive, keepalive
        if keepalive.ping != before.ping:
            self._spread(watch)
        if watch.pending is not None:
            now = self._clock.monotonic()
            watch.deadline = max(watch.sent + keepalive.timeout, min(watch.deadline, now + keepalive.timeout))
        self._place(watch)

    def drop(self, watch: KeepaliveWatch) -> None:
        """Remove a watch and cancel its ping."""
        self.watches.discard(watch)
        self._unplace(watch)
        if watch.pending is not None:
            watch.pending.cancel()
            watch.pending = None
        self._set_timer()

    async def close(self) -> None:
        """End every watch, and wait for all tasks."""
        self._started = False
        for watch in tuple(self.watches):
            self.drop(watch)
        self._set_timer()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spread(self, watch: KeepaliveWatch) -> None:
        ping = watch.keepalive.ping
        watch.next_ping = math.inf if ping is None else self._clock.monotonic() + self._chance.uniform(0.0, ping)

    def ping(self, watch: KeepaliveWatch) -> None:
        """Ping a watched connection."""
        watch.sent = self._clock.monotonic()
        watch.deadline = watch.sent + watch.keepalive.timeout
        watch.graced = False
        watch.pending = asyncio.get_running_loop().create_task(watch.connection.ping(), name="keepalive ping")
        self._tasks.add(watch.pending)
        watch.pending.add_done_callback(partial(self._answered, watch))
        self._place(watch)

    def _answered(self, watch: KeepaliveWatch, task: asyncio.Task[float]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if watch.pending is not task:
            return  # cancelled by us, and the watch may be over
        watch.pending = None
        if error is not None and not isinstance(error, NotSent):
            # A connection that cannot be pinged counts as dead, whatever the bug in its adapter.
            logger.warning("a ping failed with %s, which no transport should raise", type(error).__name__)
            self._give_up(watch)
            return
        # A connection that ended (NotSent, or a cancelled pong) reports its end itself, with the close code.
        self._place(watch)
        if error is None and not task.cancelled():
            watch.on_rtt(task.result())

    def _give_up(self, watch: KeepaliveWatch) -> None:
        self.drop(watch)
        watch.on_dead()

    def _place(self, watch: KeepaliveWatch) -> None:
        """Add a watch to the agenda, at the deadline of its ping or at its next ping."""
        self._unplace(watch)
        now, ping = self._clock.monotonic(), watch.keepalive.ping
        if watch.pending is None and ping is not None and watch.next_ping <= now:
            watch.next_ping += ping * (math.floor((now - watch.next_ping) / ping) + 1)
        due = watch.next_ping if watch.pending is None else watch.deadline
        if due < math.inf:
            watch.entry = (due, next(self._numbers), watch)
            insort(self._agenda, watch.entry)
        self._set_timer()

    def _unplace(self, watch: KeepaliveWatch) -> None:
        if watch.entry is not None:
            del self._agenda[bisect_left(self._agenda, watch.entry)]
            watch.entry = None

    def _set_timer(self) -> None:
        """Set the timer; one that rings too early is kept, and sets the next."""
        if not self.watches and not self._started:
            self._timer.cancel()
            self._ahead = None
            return
        if self._ahead is None:
            self._ahead = self._clock.boottime() - self._clock.monotonic()
        now = self._clock.monotonic()
        due = min(now + TICK, self._agenda[0][0] if self._agenda else math.inf)
        if not self._timer.pending or due < self._timer_due:
            self._timer.start(due - now, self._turn)
            self._timer_due = due

    def _turn(self) -> None:
        try:
            before, self._ahead = self._ahead, self._clock.boottime() - self._clock.monotonic()
            if before is not None and (slept := self._ahead - before) >= MIN_SLEEP:
                self._on_wake(slept)
            now = self._clock.monotonic()
            while self._agenda and self._agenda[0][0] <= now + RESOLUTION:
                due, _, watch = self._agenda[0]
                self._due(watch, late=now - due)
        finally:  # a callback that raises must not stop the wheel
            self._timer.cancel()
            self._set_timer()

    def _due(self, watch: KeepaliveWatch, *, late: float) -> None:
        if watch.pending is None:
            self.ping(watch)
        elif late >= STALLED and not watch.graced:
            watch.graced = True
            watch.deadline += late + min(GRACE, watch.keepalive.timeout)
            self._place(watch)
        else:
            self._give_up(watch)
