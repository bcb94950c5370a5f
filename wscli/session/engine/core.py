"""What the parts of a running session share: actions, timers, calls, verdicts, and the time that counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from typing import Any

from wscli.clock import Clock
from wscli.core.failures import Failure, FailureKind, Verdict
from wscli.session.actions import Call, JudgeChannel, JudgeUpstream, Send, SessionAction, SetTimer
from wscli.session.engine.memory import Lost, Memory
from wscli.session.engine.parts import ChannelPart, Part
from wscli.session.plan import SessionPlan
from wscli.templates import Scope
from wscli.templates.filters import now
from wscli.timing import RESOLUTION

__all__ = ["Core", "Deadline"]

_LONGEST = 86400.0
"""Seconds of one timer; a longer one is set again."""
_MOST_WAITING = 10_000
_POLL = 1.0
"""Seconds after which a deadline is looked at again while reading is paused."""


class _Now:
    """``{now.ms}`` and its like."""

    __slots__ = ("_clock",)

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def get(self, name: str, default: Any = None) -> Any:
        return now(self._clock.wall()).get(name, default)


class Core:
    """The shared state of one connection's session."""

    def __init__(
        self, plan: SessionPlan, memory: Memory, scope: Scope, clock: Clock, chance: Random, *, shared: bool
    ) -> None:
        self.plan = plan
        self.memory = memory
        self.clock = clock
        self.chance = chance
        self.shared = shared
        self.actions: list[SessionAction] = []
        self.changes: list[Part] = []
        self.held_bytes = 0
        """Bytes of messages that are held until ``hello`` is over."""
        changes = None if shared else self.changes
        self.upstream = Part(None, dict(memory.kept), {**scope, "now": _Now(clock)}, changes)
        self.channels: dict[str, ChannelPart] = {}
        self.ready = False
        """Whether ``hello`` is over."""
        self.now = Lost({})
        """What is on this connection."""
        self.before = memory.lost
        """What was on the one before."""
        self.numbers: Iterator[int] = count(1)
        self.judged: list[tuple[Part, Verdict | None, Failure]] = []
        self._due: dict[int, Callable[[], None]] = {}
        self._calls: dict[int, Callable[[Any], None]] = {}
        self._waiting = 0
        self._paused = 0.0
        self._paused_since: float | None = None
        self.listens = any(timer.kind == "idle_in" for timer in plan.timers)
        """Whether a timer counts the time since messages were received."""
        self.heard = self.time()
        """When messages were received last, by ``time``, where it ``listens``."""
        if memory.owner is None:
            self.own_memory()

    @property
    def owns_memory(self) -> bool:
        """Whether what the upstream keeps here is what a later connection begins with."""
        return self.memory.owner is self

    def own_memory(self) -> None:
        """Have a later connection begin with what is kept here."""
        if self.memory.owner is not self:
            self.memory.owner, self.memory.kept = self, self.upstream.kept

    def open(self) -> None:
        """Learn that ``hello`` is over: this is now what a later connection is compared with."""
        self.ready = True
        self.own_memory()
        self.memory.lost = self.now

    def end(self) -> None:
        """Learn that the connection is over."""
        if self.memory.owner is self:
            self.memory.owner = None

    # timers

    def after(self, delay: float, callback: Callable[[], None]) -> int:
        """Call the function once, in so many seconds; give the number for ``cancel``."""
        number = next(self.numbers)
        self._due[number] = callback
        self.actions.append(SetTimer(number, min(delay, _LONGEST)))
        return number

    def cancel(self, number: int) -> None:
        """Do not call the function any more."""
        if self._due.pop(number, None) is not None:
            self.actions.append(SetTimer(number, None))

    def due(self, number: int) -> None:
        """Call what the timer is for."""
        callback = self._due.pop(number, None)
        if callback is not None:
            callback()

    def time(self) -> float:
        """Give the seconds of the clock, without those in which reading was paused."""
        return (self.clock.monotonic() if self._paused_since is None else self._paused_since) - self._paused

    def pause(self, *, paused: bool) -> None:
        """Learn that reading is paused, or resumed."""
        if paused and self._paused_since is None:
            self._paused_since = self.clock.monotonic()
        elif not paused and self._paused_since is not None:
            self._paused += self.clock.monotonic() - self._paused_since
            self._paused_since = None

    @property
    def paused(self) -> bool:
        """Whether reading is paused."""
        return self._paused_since is not None

    # messages

    def send(self, message: Any) -> None:
        """Have a message let out; too many of rules and timers that wait are a failure."""
        self.actions.append(Send(message))
        if message.urgent:
            self._waiting += 1
            if self._waiting == _MOST_WAITING:
                self.fail(self.upstream, "rule", f"{_MOST_WAITING} messages of rules and timers wait to be sent")

    def sent(self, message: Any) -> None:
        """Learn that it waits no longer."""
        self._waiting -= message.urgent

    # calls

    def call(self, what: Any, within: float, part: Part, callback: Callable[[Any], None]) -> int:
        """Have the owner do something; give the number for ``forget_call``."""
        number = next(self.numbers)
        self._calls[number] = callback
        self.actions.append(Call(number, what, within, part.channel))
        return number

    def forget_call(self, number: int) -> None:
        """Ignore the answer."""
        self._calls.pop(number, None)

    def answered(self, number: int, answer: Any) -> None:
        """Hand an answer to whoever asked."""
        callback = self._calls.pop(number, None)
        if callback is not None:
            callback(answer)

    # verdicts

    def judge(self, part: Part, verdict: Verdict | None, failure: Failure) -> None:
        """Give a verdict, to be carried out once the batch is finished; the first counts."""
        whose = part if self.shared else self.upstream
        if all(one is not whose for one, _, _ in self.judged):
            self.judged.append((whose, verdict, failure))

    def fail(self, part: Part, moment: str, text: str, verdict: Verdict | None = None) -> None:
        """Give a verdict for a failure of the session itself."""
        self.judge(part, verdict, Failure(FailureKind.SESSION, text, moment=moment))

    def emit_judged(self) -> list[ChannelPart]:
        """Have the verdicts carried out, and give the channels that are judged."""
        judged, self.judged = self.judged, []
        over = []
        for part, verdict, failure in judged:
            if isinstance(part, ChannelPart):
                over.append(part)
                self.actions.append(JudgeChannel(part.of, verdict, failure))
            else:
                self.actions.append(JudgeUpstream(verdict, failure))
        return over


class Deadline:
    """Calls a function after a time; while reading is paused, no time counts."""

    __slots__ = ("_at", "_callback", "_core", "_number", "_time")

    def __init__(self, core: Core, delay: float, callback: Callable[[], None], *, listening: bool = True) -> None:
        """Without ``listening`` all time counts."""
        self._core = core
        self._callback = callback
        self._time = core.time if listening else core.clock.monotonic
        self._at = self._time() + delay
        self._number = core.after(delay, self._ring)

    def cancel(self) -> None:
        """Do not call the function any more."""
        self._core.cancel(self._number)

    def _ring(self) -> None:
        left = self._at - self._time()
        if left <= RESOLUTION:
            self._callback()
        else:
            self._number = self._core.after(max(left, _POLL) if self._core.paused else left, self._ring)
