"""The real session with an owner that carries out each action at once, and writes down what the reference does."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.daemon.virtual_time import VirtualTime
from tests.session.host import Refs
from wscli.core.failures import Failure, FailureKind
from wscli.session import actions as a
from wscli.session.engine.memory import Memory
from wscli.session.engine.session import RunningSession
from wscli.session.frames import Unit
from wscli.session.plan import SessionPlan

__all__ = ["Real"]


@dataclass(eq=False)
class Real:
    """One connection."""

    plan: SessionPlan
    memory: Memory
    shared: bool
    refs: Refs
    events: list[Any] = field(default_factory=list)
    sent: list[Unit] = field(default_factory=list)
    calls: list[a.Call] = field(default_factory=list)
    acks: list[int] = field(default_factory=list)
    unrouted: int = 0
    ready: bool = False
    """Whether the dial may begin, and then whether ``hello`` is over."""

    def __post_init__(self) -> None:
        scope = {"param": {}, "with": {}}
        self.session = RunningSession(
            self.plan, self.memory, scope, self.refs, VirtualTime(), Random(1), shared=self.shared
        )
        self.dialled = False
        self._soon: list[int] = []

    def do(self, actions: Iterable[a.SessionAction]) -> None:
        """Carry out actions, and those that follow from them."""
        queue = deque(actions)
        while queue or self._soon:
            if not queue:
                queue.extend(self.session.due(self._soon.pop(0)))
                continue
            action = queue.popleft()
            if isinstance(action, a.Send):
                out = self.session.let_out(action.message)
                self.sent += [] if out.payload is None else [Unit(out.payload, out.binary)]
                queue.extend(out.actions)
            elif isinstance(action, a.SetTimer):
                self._soon += [action.number] if action.delay == 0 else []
            else:
                self._write_down(action)

    def _write_down(self, action: Any) -> None:
        match action:
            case a.Call():
                self.calls.append(action)
            case a.SessionReady(resumed):
                self.events.append(("open", resumed) if self.dialled else ("dial",))
            case a.SubscriptionReady(channel, resumed):
                self.events.append(("ready", channel.name, resumed))
            case a.Unsubscribed(channel):
                self.events.append(("left", channel.name))
            case a.RecordGap(channel, reason, missed):
                self.events.append(("gap", channel.name, reason, missed))
            case a.JudgeUpstream(verdict, failure):
                self.events.append(("judged", "", verdict, failure.moment))
            case a.JudgeChannel(channel, verdict, failure):
                self.events.append(("judged", channel.name, verdict, failure.moment))
            case a.CountUnrouted(messages):
                self.unrouted += messages
            case a.Deliver():
                self._deliver(action)

    def _deliver(self, action: a.Deliver) -> None:
        for at, payload in enumerate(action.payloads):
            binary = action.kinds is not None and action.kinds[at] == ord("b")
            key = None if action.keys is None else action.keys[at]
            self.events.append(("message", action.channel.name, payload, binary, key))
        self.acks += [number for _, number in action.acks]

    def answer(self, body: bytes | None) -> None:
        """Answer the oldest call, or fail it."""
        call = self.calls.pop(0)
        failed = a.CallFailed(Failure(FailureKind.SESSION, "failed"))
        self.do(self.session.answered(call.number, failed if body is None else body))

    def commit(self) -> None:
        """Commit all that was delivered."""
        acks, self.acks = self.acks, []
        for number in acks:
            self.do(self.session.logged(number))

    def receive(self, frames: list[tuple[bytes, bool]]) -> None:
        """Receive frames in one turn."""
        kinds = bytes(ord("b") if binary else ord("t") for _, binary in frames)
        self.do(self.session.received([payload for payload, _ in frames], kinds if b"b" in kinds else None))
