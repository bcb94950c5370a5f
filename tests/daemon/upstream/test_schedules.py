"""Any schedule of subscriptions, refusals, pauses, ends and rotations on a shared upstream leaves no channel behind."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.daemon.scripted import REFUSED, Scripted, closed
from tests.daemon.scripted_session import ScriptedSession, ScriptedSessions, shared
from tests.examples import SOME
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.core.states import ChannelState as S
from wscli.daemon.channel.channel import Channel
from wscli.daemon.upstream.attempts.attempt import Attempt

NAMES = ("a", "b", "c", "d")
KINDS = (
    "accept", "accept", "accept", "refuse", "let go", "let go", "hello", "say", "pause", "resume", "stop", "start",
    "resubscribe", "rotate", "kill", "kill old", "refuse dial", "replace", "wait", "wait long", "settle",
)  # fmt: skip
VERDICTS = (None, *(Verdict(action) for action in (Action.RETRY, Action.RECONNECT, Action.REAUTH, Action.FRESH)))
FINAL = (Verdict(Action.STOP), Verdict(Action.DONE))
ASKED = Failure(FailureKind.SESSION, "the server asks for it", moment="rule")

Step = tuple[str, str, int]
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(NAMES), st.integers(0, 63)), max_size=30)


def attempt_of(session: ScriptedSession) -> Attempt:
    attempt: Attempt = session.listener._attempt  # type: ignore[attr-defined]
    return attempt


class Schedule:
    """Four channels on one upstream, and what a person and the server do to them."""

    def __init__(self, it: Scripted, sessions: ScriptedSessions) -> None:
        self.it, self.sessions = it, sessions
        self.channels = {name: it.manager.channel(name) for name in NAMES}
        self.by_hand: dict[str, S | None] = dict.fromkeys(NAMES)
        """The state in which a person, or a final verdict, left the channel."""
        self.said = dict.fromkeys(NAMES, 0)

    async def do(self, kind: str, name: str, number: int) -> None:  # noqa: C901 - one case a step
        channel, opened = self.channels[name], self.sessions.open
        one = opened[number % len(opened)] if opened else None
        match kind:
            case "accept" if one and one.joining:
                one.accept(sorted(one.joining)[number % len(one.joining)])
            case "refuse" if one and (known := sorted({*one.joining, *one.subscribed})):
                self.refuse(one, known[number % len(known)], number)
            case "let go" if one and one.leaving:
                one.let_go(sorted(one.leaving)[number % len(one.leaving)])
            case "hello" if one and not one.greeted:
                one.ready()
            case "say" if one and name in one.subscribed and channel.connection is one.connection:
                assert one.connection is not None
                one.connection.say(f"{name} {number}")  # type: ignore[attr-defined]
                self.said[name] += 1
            case "pause" | "resume" | "stop" | "start" | "resubscribe" | "rotate":
                self.person(channel, kind)
            case "kill" if self.it.server.links:
                self.it.server.links[-1].end(closed(1006))
            case "kill old" if len(self.it.server.links) > 1:
                self.it.server.links[0].end(closed(1001))
            case "refuse dial":
                self.it.server.refusals.append(REFUSED)
            case "replace" if one:
                one.listener.judged(Verdict(Action.REPLACE), ASKED)
            case "wait" | "wait long":
                await self.it.time.advance(0.7 if kind == "wait" else 12.0)
            case _:
                await self.it.time.settle()

    def refuse(self, one: ScriptedSession, name: str, number: int) -> None:
        final = number % 8 == 7
        verdict = FINAL[number % 2] if final else VERDICTS[number % len(VERDICTS)]
        counts = not attempt_of(one).superseded  # before: the last channel's end closes the connection
        one.refuse(name, verdict)
        if final and counts:
            self.by_hand[name] = self.channels[name].state

    def person(self, channel: Channel, kind: str) -> None:
        before = channel.state
        getattr(channel, kind)()
        held = self.by_hand[channel.name]
        match kind:
            case "pause" if held is None and before not in (S.FAILED, S.DONE):
                self.by_hand[channel.name] = S.PAUSED
            case "resume" if held is S.PAUSED:
                self.by_hand[channel.name] = None
            case "stop":
                self.by_hand[channel.name] = S.STOPPED
            case "start" | "resubscribe" | "rotate":
                self.by_hand[channel.name] = None

    def check(self) -> None:
        opened = [one for one in self.sessions.open if not attempt_of(one).closing]
        assert len(self.it.server.links) <= 3, "a successor beside the present one, and one that is being closed"
        present = self.channels["a"].subscription.upstream.attempts.present
        for name, channel in self.channels.items():
            carriers = [one for one in opened if name in one.subscribed]
            if held := self.by_hand[name]:
                assert channel.state is held, "its state is its own"
                assert not carriers
                assert not any(name in one.joining for one in opened)
                continue
            if channel.state is S.READY:
                assert channel.connection in [one.connection for one in carriers]
            upstream = channel.subscription.snapshot.state
            if upstream is S.READY and present is not None:
                session = next(one for one in opened if one.connection is present.connection)
                underway = name in (*session.joining, *session.subscribed, *session.leaving)
                assert underway or channel.state in (S.WAITING, S.FAILED, S.DONE), "no subscription is lost"
                assert (channel.state is S.READY) == bool(carriers)
            else:
                assert channel.state is upstream, "it mirrors its upstream"

    async def settle(self) -> None:
        """Have the server answer everything, and see each channel end where it should."""
        self.sessions.hello = self.sessions.subscribe = self.sessions.unsubscribe = True
        self.it.server.refusals.clear()
        for one in self.sessions.open:
            for name in sorted(one.leaving):
                one.let_go(name)
            if not one.greeted:
                one.ready()
            for name in sorted(one.joining):
                one.accept(name)
        for _ in range(3):
            await self.it.time.advance(17)
        self.check()
        opened = {name for name, held in self.by_hand.items() if held is None}
        assert {name for name, channel in self.channels.items() if channel.state is S.READY} == opened
        assert len(self.it.server.links) == bool(opened), "one connection"
        assert [sorted(one.subscribed) for one in self.sessions.open] == ([sorted(opened)] if opened else [])
        assert {name: channel.history.last for name, channel in self.channels.items()} == self.said


@pytest.mark.timeout(600)  # hundreds of managers
@given(st.booleans(), STEPS)
@settings(max_examples=SOME, deadline=None)
def test_no_subscription_is_lost_or_doubled_and_each_state_is_the_channels_own(begun: bool, steps: list[Step]) -> None:
    async def run() -> None:
        sessions = ScriptedSessions(hello=False, subscribe=False, unsubscribe=False)
        it = Scripted(*map(shared, NAMES), make_session=sessions.make)
        it.manager.open()
        await it.time.settle()
        schedule = Schedule(it, sessions)
        for step in [("hello", "a", 0), *(("accept", "a", 0),) * len(NAMES), ("rotate", "a", 0)] if begun else []:
            await schedule.do(*step)
        for step in steps:
            await schedule.do(*step)
            schedule.check()
        await schedule.settle()
        await it.close()

    asyncio.run(run())
