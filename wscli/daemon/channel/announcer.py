"""Log a channel's changes of state; an outage shorter than ``announce_after`` is counted, not announced.

Several outages in a short time are announced together (``flapping``).
"""

from __future__ import annotations

import logging

from wscli.clock import Clock
from wscli.core.states import SETTLED, ChannelState, Snapshot
from wscli.daemon.channel.flapping import Flapping
from wscli.problems import Problems
from wscli.timing import OneShot, Schedule
from wscli.values import format_duration

__all__ = ["Announcer"]

logger = logging.getLogger("wscli.channel")


class Announcer:
    """Announces one channel; ``after`` is in seconds."""

    def __init__(self, name: str, problems: Problems, *, after: float, clock: Clock, schedule: Schedule) -> None:
        self.after = after
        self.quiet_outages = 0
        """Outages that ended before they were announced."""
        self._name = name
        self._clock = clock
        self._lost_at: float | None = None
        self._announced = False
        self._timer = OneShot(schedule)
        self._flapping = Flapping(name, problems, clock, schedule)
        self._why = ""
        self._closed = False

    def changed(self, before: Snapshot, after: Snapshot) -> None:
        """Note a step of the machine."""
        if self._closed or after.state is before.state:
            return
        if before.state is ChannelState.FAILED and after.reason.code != "retry":  # by hand, or by a reload
            self._lost_at, self._announced = None, False
        if after.state is ChannelState.READY:
            self._ready()
        elif after.state in SETTLED or after.state is ChannelState.IDLE:
            self._settled(after)
        elif before.state is ChannelState.READY or (
            after.failure and self._lost_at is None and before.state is not ChannelState.IDLE
        ):
            self._lost(before, after)

    def handed_over(self) -> None:
        """Count no outage: a successor took over from the connection that ended."""
        self._timer.cancel()
        self._lost_at = None

    def close(self) -> None:
        """Announce nothing more: the manager is stopping."""
        self._closed = True
        self._timer.cancel()
        self._flapping.end()

    def _ready(self) -> None:
        self._timer.cancel()
        if self._lost_at is None:
            self._log(logging.INFO, "ready", "ready")
        elif self._announced:
            lasted = format_duration(self._clock.monotonic() - self._lost_at)
            self._log(logging.INFO, "restored", f"ready again after {lasted}")
        else:
            self.quiet_outages += 1
        self._lost_at, self._announced = None, False

    def _lost(self, before: Snapshot, after: Snapshot) -> None:
        self._lost_at = self._clock.monotonic()
        self._why = after.reason.text
        self._timer.start(self.after, self._announce_lost)
        if before.state is ChannelState.READY and after.failure is not None and after.failure is not before.failure:
            self._flapping.lost(after.failure.text)

    def _announce_lost(self) -> None:
        self._announced = True
        self._log(logging.WARNING, "lost", f"not connected for {format_duration(self.after)}: {self._why}")

    def _settled(self, after: Snapshot) -> None:
        self._timer.cancel()
        fails = after.state is ChannelState.FAILED
        if fails and self._announced and self._why == after.reason.text:
            return  # dialled again, with the same end
        goes_on = fails and after.next.action == "retry"  # the outage goes on until it is ready
        began = self._clock.monotonic() if self._lost_at is None else self._lost_at
        self._lost_at, self._announced, self._why = began if goes_on else None, goes_on, after.reason.text
        if after.state is not ChannelState.IDLE:  # a lazy channel may flap from use to use
            self._flapping.end()
        level = logging.ERROR if fails else logging.INFO
        self._log(level, after.state, f"{after.state}: {after.reason.text}")

    def _log(self, level: int, event: str, text: str) -> None:
        logger.log(level, "%s: %s", self._name, text, extra={"channel": self._name, "event": event})
