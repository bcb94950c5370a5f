"""Timers: heartbeats, watchdogs and renewals."""

from __future__ import annotations

import re

from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.session.engine.core import Core, Deadline
from wscli.session.engine.outgoing import Outbound
from wscli.session.engine.parts import ChannelPart, Part
from wscli.session.engine.steps.requests import StepFailed
from wscli.session.engine.steps.run import Run, Steps
from wscli.session.plan import SessionTimer
from wscli.templates import TemplateError
from wscli.timing import RESOLUTION
from wscli.values import format_duration, parse_duration

__all__ = ["Timers"]

_SHORTEST = 0.01
"""Seconds; an interval of less is this one, so that no server makes a busy loop of it."""
_OFF = (0, "", "ms", "s", "m", "h", "d")
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?(ms|s|m|h|d)?")
"""What may be shown of a value that a server gave."""
_RECONNECT = Verdict(Action.RECONNECT)


class _Timer:
    """One timer of one part."""

    def __init__(self, timers: Timers, timer: SessionTimer, part: Part) -> None:
        self._timers, self._core = timers, timers.core
        self._timer = timer
        self._part = part
        self._interval = 0.0
        self._deadline: Deadline | None = None
        self._run: Run | None = None
        self._since = 0.0
        self._listens = timer.kind == "idle_in"
        """Whether time while reading is paused does not count; what is sent is sent then as well."""
        self._may_begin = False
        for space, name in timer.duration.references:
            if space == "sub" or (space == "var" and part is self._core.upstream):
                part.watch(name, self.begin)
            elif space == "var":
                self._core.upstream.watch(name, self._changed)

    def begin(self) -> None:
        """Begin, where it has an interval."""
        self._may_begin = True
        self._arm()

    def _changed(self) -> None:
        if self._may_begin:
            self._arm()

    def _arm(self) -> None:
        interval = self._read()
        if interval == self._interval:
            return
        self._cancel()
        self._interval = interval
        if interval:
            self._since = self._now()
            first = interval * self._core.chance.random() if self._timer.first_random else interval
            self._wait(first)

    def stop(self) -> None:
        """Do nothing more."""
        self._cancel()
        self._interval = 0.0
        for _, name in self._timer.duration.references:
            self._part.unwatch(name, self.begin)
            self._core.upstream.unwatch(name, self._changed)
        if self._run is not None:
            self._run.stop()
            self._run = None

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _wait(self, delay: float) -> None:
        self._deadline = Deadline(self._core, delay, self._due, listening=self._listens)

    def _now(self) -> float:
        return self._core.time() if self._listens else self._core.clock.monotonic()

    def _read(self) -> float:
        """Give the interval in seconds; 0: the timer is off."""
        for space, name in self._timer.duration.references:
            names = self._part.scope.get(space, {})
            if name in names and names[name] is None:
                return 0.0
        try:
            value = self._timer.duration.render(self._part.scope)
        except TemplateError:
            return 0.0
        if value in _OFF:
            return 0.0
        try:
            seconds = parse_duration(value) if isinstance(value, str) else -1.0
        except ValueError:
            seconds = -1.0
        if seconds < 0:
            shown = f": {value!r}" if _NUMBER.fullmatch(str(value)) else ""
            text = f"{self._timer.place}: invalid interval{shown}; it must be a positive number with its unit"
            self._core.fail(self._part, "timer", text)
            return 0.0
        return max(seconds, _SHORTEST) if seconds else 0.0

    def _due(self) -> None:
        self._deadline = None
        idle = self._idle()
        if idle is not None and idle < self._interval - RESOLUTION:
            self._wait(self._interval - idle)
            return
        self._since = self._now()
        self._wait(self._interval)
        if self._run is not None:
            return  # the one before is not over
        if not self._timer.do:
            what = {"every": "elapsed", "idle_in": "nothing received", "idle_out": "nothing sent"}[self._timer.kind]
            text = f"{self._timer.place}: {what} for {format_duration(self._interval)}"
            self._judge(None, Failure(FailureKind.SESSION, text, moment="timer"))
            return
        run = self._timers.steps.run(self._timer.do, "timer", self._part, self._over, self._failed)
        self._run = None if run.over else run

    def _idle(self) -> float | None:
        """Give how long nothing was received or sent, at most since it began or was due; None: it does not count."""
        if self._timer.kind == "every":
            return None
        last = self._timers.last_in(self._part) if self._timer.kind == "idle_in" else self._timers.outbound.last
        return self._now() - max(last, self._since)

    def _over(self) -> None:
        self._run = None

    def _failed(self, error: StepFailed) -> None:
        self._run = None
        self._judge(error.verdict, error.failure)

    def _judge(self, verdict: Verdict | None, failure: Failure) -> None:
        self._core.judge(self._part, verdict or self._timer.otherwise or _RECONNECT, failure)


class Timers:
    """The timers of one connection."""

    def __init__(self, core: Core, steps: Steps, outbound: Outbound) -> None:
        self.core = core
        self.steps = steps
        self.outbound = outbound
        self._of: dict[Part, list[_Timer]] = {}

    def place(self, part: Part) -> None:
        """Make a part's timers; those begin whose variable gets its value."""
        self._of[part] = [
            _Timer(self, timer, part)
            for timer in self.core.plan.timers
            if timer.per_channel is isinstance(part, ChannelPart)
        ]

    def ready(self, part: Part) -> None:
        """Begin those that have not begun: ``hello`` is over, or the channel is subscribed."""
        for one in self._of.get(part, ()):
            one.begin()

    def remove(self, part: Part) -> None:
        """Stop a part's timers."""
        for one in self._of.pop(part, ()):
            one.stop()

    def last_in(self, part: Part) -> float:
        """Give when a part received messages last."""
        return part.heard if isinstance(part, ChannelPart) else self.core.heard
