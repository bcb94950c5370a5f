"""Whatever a server sends, in whatever batches, and wherever it ends: the session equals the reference."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, assume, given, settings

from tests.examples import EXAMPLES
from tests.session.host import Channel, Refs
from tests.session.model.real import Real
from tests.session.model.reference import Recollection, Reference
from tests.session.model.sessions import compiled, deeds, helpful, sessions
from wscli.config.plan import ChannelPlan
from wscli.session.engine.memory import Memory


class Both:
    """The session and the reference, side by side."""

    def __init__(self, channels: list[ChannelPlan]) -> None:
        self.plan = channels[0].upstream.session
        self.shared = channels[0].upstream.share
        few = channels if self.shared else channels[:1]
        self.mine = [self._channel(channel) for channel in few]
        self.theirs = [self._channel(channel) for channel in few]
        self.memory, self.recollection = Memory(), Recollection()
        self.refs, self.numbers = Refs(), Refs()
        self.connect()

    def _channel(self, plan: ChannelPlan) -> Channel:
        values = plan.values.render({}) if plan.values is not None else {}
        return Channel(plan.name, values, dedupe=plan.dedupe)

    def connect(self) -> None:
        """Begin a connection; its calls are answered one by one."""
        self.real = Real(self.plan, self.memory, self.shared, self.refs)
        self.model = Reference(self.plan, self.recollection, shared=self.shared, refs=self.numbers)
        self.over = self.dialled = False
        self.real.do(self.real.session.begin())
        self.model.begin()
        self.check()

    def check(self) -> None:
        """Compare what both did since the last time, and open the connection where both are ready to."""
        self.model.finish()
        real, model = self.real, self.model
        assert real.sent == model.sent
        for name in ("", *(channel.name for channel in self.mine)):
            assert of(name, real.events) == [event[:5] for event in of(name, model.events)]
        assert real.unrouted == model.unrouted
        assert len(real.calls) == len(model.calls)
        assert real.session.variables() == model.upstream.variables
        assert self.memory.kept == self.recollection.kept
        assert [channel.kept for channel in self.mine] == [channel.kept for channel in self.theirs]
        self.over = any(event[:2] == ("judged", "") for event in real.events)
        opening = ("dial",) in real.events and not self.dialled and not self.over
        model.delivered += [event[5] for event in model.events if event[0] == "message" and event[5] is not None]
        for one in (real, model):
            one.sent.clear()
            one.events.clear()
        if opening:
            self.open()

    def open(self) -> None:
        self.dialled = self.real.dialled = True
        self.real.do(self.real.session.dialling())
        self.model.dial()
        for mine, theirs in zip(self.mine, self.theirs, strict=True):
            self.real.do(self.real.session.join(mine))
            self.model.join(theirs)
        self.real.do(self.real.session.opened())
        self.model.opened()
        self.check()

    def frames(self, frames: list[tuple[bytes, bool]]) -> None:
        if self.dialled and not self.over:
            self.real.receive(frames)
            self.model.receive(frames)

    def help(self, others: list[tuple[bytes, bool]]) -> None:
        """Answer a call, or send a message that a step waits for, between others."""
        if self.model.calls:
            self.answer(b'{"op":"hi","n":1}')
            self.check()
        for value in helpful:
            waits = self.model.waits
            if any(one.match.matches(value, wait.scope) for wait in waits for one in wait.expect):
                others = [*others[:1], (json.dumps(value).encode(), False), *others[1:]]
                break
        self.frames(others)

    def answer(self, body: bytes | None) -> None:
        if self.model.calls:
            self.real.answer(body)
            self.model.calls.pop(0).go(body)

    def join(self, at: int) -> None:
        name = self.mine[at % len(self.mine)].name
        if self.model.open and name not in self.model.channels:
            self.real.do(self.real.session.join(self.mine[at % len(self.mine)]))
            self.model.join(self.theirs[at % len(self.mine)])

    def leave(self, at: int) -> None:
        channel = self.mine[at % len(self.mine)]
        if self.model.open and channel.name in self.model.channels:
            self.real.do(self.real.session.leave(channel))
            self.model.leave(channel.name)

    def commit(self, _: None) -> None:
        self.real.commit()
        delivered, self.model.delivered = self.model.delivered, []
        for entry in delivered:
            self.model.committed(entry)
        self.model.finish()
        for one in (self.real, self.model):  # channels commit in any order
            one.sent.sort()

    def reconnect(self, _: None) -> None:
        self.real.session.ended()
        self.model.end()
        self.connect()


def of(name: str, events: list[Any]) -> list[Any]:
    """Give the events of a channel, or of the upstream."""
    return [event for event in events if ("" if event[0] in ("dial", "open") else event[1]) == name]


@given(sessions(), deeds)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_session_equals_the_reference(text: str, deeds: list[tuple[str, Any]]) -> None:
    channels = compiled(text)
    assume(not isinstance(channels, str))
    both = Both(channels)
    for deed, what in deeds:
        if not both.over or deed == "reconnect":
            getattr(both, deed)(what)
            both.check()
