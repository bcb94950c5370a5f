"""Carries out a session's actions, in virtual time and without a socket."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from tests.daemon.virtual_time import VirtualTime
from wscli.session import actions as a
from wscli.session.engine.memory import Memory
from wscli.session.engine.session import RunningSession
from wscli.session.plan import SessionPlan
from wscli.templates.paths import JsonPath, compile_path_expression


class Refs:
    """References that a test can name beforehand: 1, 2, 3 and so on."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def draw(self, kind: str) -> int | str:
        number = next(self._numbers)
        return number if kind == "int" else str(number) if kind == "str" else f"uuid-{number}"


@dataclass(eq=False)
class Channel:
    """A channel of a test, and what it got."""

    name: str
    values: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    critical: bool = True
    dedupe: JsonPath | None = None
    kept: dict[str, Any] = field(default_factory=dict)


class Host:
    """One connection: what was sent, what the channels got, what was asked."""

    def __init__(
        self,
        plan: SessionPlan,
        *,
        memory: Memory | None = None,
        shared: bool = False,
        time: VirtualTime | None = None,
        refs: Refs | None = None,
        scope: Mapping[str, Any] | None = None,
        log: bool = True,
        tokens: Mapping[str, str] | None = None,
    ) -> None:
        self.time = time or VirtualTime()
        self.memory = memory or Memory()
        self.session = RunningSession(
            plan,
            self.memory,
            {"param": {}, "with": {}, **(scope or {})},
            refs or Refs(),
            self.time,
            Random(7),
            shared=shared,
        )
        self.log = log
        """Whether messages are committed as they are delivered."""
        self.tokens = tokens or {"api": "TOKEN", "bot": "TOKEN", "ha": "TOKEN", "app": "TOKEN"}
        self.actions: list[a.SessionAction] = []
        self.sent: list[Any] = []
        self.got: dict[str, list[Any]] = {}
        self.calls: list[a.Call] = []
        self.waiting: list[Any] = []
        self.unlogged: list[int] = []
        self._timers: dict[int, Any] = {}
        self.blocked = False
        """Whether nothing is let out."""

    # what happens

    def dial(self) -> Host:
        """Run ``before`` and open the connection."""
        self.do(self.session.begin())
        self.do(self.session.dialling())
        return self.open()

    def open(self) -> Host:
        self.do(self.session.opened())
        return self

    def join(self, *channels: Channel) -> Host:
        for channel in channels:
            self.do(self.session.join(channel))
        return self

    def leave(self, channel: Channel) -> Host:
        self.do(self.session.leave(channel))
        return self

    def receive(self, *values: Any) -> Host:
        """Receive messages, all in one turn of the loop."""
        raw = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in values]
        self.do(self.session.received(raw, None))
        return self

    def answer(self, value: Any) -> Host:
        """Answer the oldest call."""
        call = self.calls.pop(0)
        if not isinstance(value, (bytes, a.CallFailed)):
            value = json.dumps(value).encode()
        self.do(self.session.answered(call.number, value))
        return self

    def send(self, channel: Channel, payload: Any, **more: Any) -> Any:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        message = self.session.wrap(channel, raw, binary=more.pop("binary", False), **more)
        self.waiting.append(message)
        self.flush()
        return message

    def advance(self, seconds: float) -> Host:
        """Let time pass, and ring each timer at its moment."""
        end = self.time.now + seconds
        while any(timer.due <= end for timer in self.time.pending):
            self.time.ring_next()
        self.time.now = end
        return self

    # what the session wants

    def do(self, actions: Iterable[a.SessionAction]) -> None:
        for action in actions:
            self.actions.append(action)
            match action:
                case a.Send(message):
                    self.waiting.append(message)
                case a.Call(number, a.AskTokens(names), _, _):
                    self.do(self.session.answered(number, {name: self.tokens[name] for name in names}))
                case a.Call():
                    self.calls.append(action)
                case a.SetTimer(number, delay):
                    self._set(number, delay)
                case a.Deliver():
                    self._deliver(action)
                case _:
                    pass
        self.flush()

    def _set(self, number: int, delay: float | None) -> None:
        timer = self._timers.pop(number, None)
        if timer is not None:
            timer.cancel()
        if delay is not None:
            self._timers[number] = self.time.schedule(delay, lambda: self.do(self.session.due(number)))

    def _deliver(self, action: a.Deliver) -> None:
        got = self.got.setdefault(action.channel.name, [])
        got += map(_read, action.payloads)
        for _, number in action.acks:
            if self.log:
                self.do(self.session.logged(number))
            else:
                self.unlogged.append(number)

    def flush(self) -> None:
        """Let out what the pace allows, the session's own first."""
        while self.waiting and not self.blocked:
            message = min(self.waiting, key=lambda one: (one.by_user, not one.urgent))
            wait = self.session.wait_to_send(message)
            if wait > 0:
                self.time.schedule(wait, self.flush)
                return
            self.waiting.remove(message)
            out = self.session.let_out(message)
            if out.payload is not None:
                self.sent.append(_read(out.payload))
            self.do(out.actions)

    # what a test asks

    def of(self, kind: type) -> list[Any]:
        """Give the actions of a kind."""
        return [one for one in self.actions if isinstance(one, kind)]

    @property
    def unrouted(self) -> int:
        """How many messages were no channel's."""
        return sum(one.messages for one in self.of(a.CountUnrouted))

    @property
    def ready(self) -> list[str]:
        """The channels that became ready, in order."""
        return [one.channel.name for one in self.of(a.SubscriptionReady)]

    @property
    def verdicts(self) -> list[tuple[str | None, str | None]]:
        """Whose, and which; None: the upstream's, and as the tables say."""
        return [
            (one.channel.name if isinstance(one, a.JudgeChannel) else None, one.verdict and one.verdict.action.value)
            for one in self.actions
            if isinstance(one, (a.JudgeChannel, a.JudgeUpstream))
        ]

    @property
    def failure(self) -> str:
        """The text of the last failure."""
        judged = [one for one in self.actions if isinstance(one, (a.JudgeChannel, a.JudgeUpstream))]
        return judged[-1].failure.text if judged else ""


def _read(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")


def path(text: str) -> JsonPath:
    return compile_path_expression(text)
