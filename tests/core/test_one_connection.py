"""An upstream's machine: whatever happens in whatever order, it holds one connection, or a successor beside it."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.core.steps import POLICY, TCP, close, declared, status
from tests.examples import EXAMPLES
from wscli.core import commands as c
from wscli.core import events as e
from wscli.core.backoff import BackoffPolicy, LookAgain
from wscli.core.failures import Action, Failure, Verdict
from wscli.core.machine import step
from wscli.core.moves import Policy
from wscli.core.states import HOLDS_CONNECTION, ChannelState, Snapshot
from wscli.core.verdicts import decide

S = ChannelState
FAILURES = st.sampled_from([TCP, *map(close, (1000, 1002, 1006, 1008, 4000, 4100, 4401)), *map(status, (401, 503))])
POLICIES = [
    POLICY,
    declared({"4000": "reconnect", "4100": "done", "503": "fresh", "tcp": "stop"}),
    POLICY._replace(look_again=LookAgain(600.0, declared=False)),
    declared({"1002": "stop", "tcp": "stop"})._replace(look_again=LookAgain(600.0, declared=True)),
    Policy(BackoffPolicy(give_up={"attempts": "3"})),  # type: ignore[arg-type]  # as a file says it
]
SURROUNDINGS = [e.Used(), e.Unused(), e.Unused(60.0), e.NetworkLost(), e.NetworkReturned(), e.TaskCrashed("x")]
BY_HAND = [e.StartRequested(), e.CloseRequested(), e.RedialRequested("reload"), e.ReplaceRequested("reload")]


def declares(policy: Policy, failure: Failure) -> bool:
    return decide(failure, policy.verdicts) != decide(failure, ())


STAGES = {S.CONNECTING: "dialling", S.HANDSHAKING: "open", S.READY: "ready"}


class OneConnection(RuleBasedStateMachine):
    """Whatever happens in whatever order: one live attempt at most, and none without a state that says so."""

    @initialize(policy=st.sampled_from(POLICIES))
    def begin(self, policy: Policy) -> None:
        self.policy, self.snapshot = policy, Snapshot()
        self.live: int | None = None
        self.newest = 0
        self.scheduled: int | None = None
        self.stage = ""
        self.successor: int | None = None
        self.successor_open = False

    def feed(self, event: e.UpstreamEvent) -> None:
        before = self.snapshot
        self.snapshot, commands = step(before, event, self.policy)
        if self.snapshot.state not in (S.WAITING, S.FAILED) or self.snapshot.generation != before.generation:
            self.scheduled = None
        for command in commands:
            self.carry_out(command)

    def carry_out(self, command: c.UpstreamCommand) -> None:
        match command:
            case c.Hangup(generation):
                assert generation in (self.live, self.successor)
                if generation == self.live:
                    self.live = None
                else:
                    self.successor = None
            case c.DialNext(generation):
                assert self.live is self.successor is None, "a second connection beside the first"
                assert generation == self.snapshot.generation
                self.live = self.newest = generation
                self.stage = "dialling"
            case c.DialSuccessor(generation):
                assert self.snapshot.state is S.READY
                assert self.successor is None, "a third connection"
                assert generation > self.newest, "a number that was given before"
                self.successor = self.newest = generation
                self.successor_open = False
            case c.Succeed(generation):
                assert generation == self.successor == self.snapshot.generation
                self.live, self.successor = self.successor, None
                self.stage = STAGES[self.snapshot.state]
            case c.ScheduleRetry(generation) | c.ScheduleLook(generation):
                assert self.scheduled is None
                self.scheduled = generation

    @rule(event=st.sampled_from(SURROUNDINGS))
    def surroundings(self, event: e.UpstreamEvent) -> None:
        self.feed(event)

    @rule()
    def pong_is_received(self) -> None:
        if self.snapshot.probing:
            self.feed(e.PongReceived(self.snapshot.generation))

    @rule(event=st.sampled_from(BY_HAND))
    def by_hand(self, event: e.UpstreamEvent) -> None:
        self.feed(event)

    @rule(ahead=st.booleans())
    def attempt_goes_on(self, ahead: bool) -> None:
        if self.live is None:
            return
        if self.stage == "dialling":
            self.feed(e.AttemptProgressed(self.live, "dialling", "dialling"))
            if ahead:
                self.stage = "open"
                self.feed(e.Opened(self.live))
        elif self.stage == "open":
            self.stage = "ready"
            self.feed(e.HandshakeDone(self.live))

    @rule(failure=FAILURES, healthy_for=st.sampled_from([0.0, 1.0, 60.0]), token=st.integers(0, 2), sent=st.booleans())
    def attempt_ends(self, failure: Failure, healthy_for: float, token: int, sent: bool) -> None:
        if self.live is not None:
            ended, self.live = self.live, None
            before = self.snapshot.in_a_row
            self.feed(e.AttemptEnded(ended, failure, healthy_for=healthy_for, token=token, sent=sent))
            if healthy_for < 10.0 and self.snapshot.state is S.FAILED and not declares(self.policy, failure):
                assert before.refusals >= 2 or self.snapshot.reason.code == "gave_up", "final at first sight"

    @rule(
        failure=FAILURES, action=st.sampled_from(Action), healthy_for=st.sampled_from([0.0, 60.0]), late=st.booleans()
    )
    def verdict_is_given(self, failure: Failure, action: Action, healthy_for: float, late: bool) -> None:
        on = self.successor if late and self.successor is not None else self.live
        if on is not None:
            self.feed(e.VerdictGiven(on, Verdict(action), failure, healthy_for))

    @rule(healthy_for=st.sampled_from([0.0, 60.0]))
    def rotation_is_due(self, healthy_for: float) -> None:
        if self.snapshot.state is S.READY:
            self.feed(e.RotationDue(self.snapshot.generation, healthy_for))

    @rule()
    def successor_goes_on(self) -> None:
        if self.successor is not None:
            opened = self.successor_open
            self.successor_open = True
            self.feed(e.HandshakeDone(self.successor) if opened else e.Opened(self.successor))

    @rule(failure=FAILURES, token=st.integers(0, 2))
    def successor_fails(self, failure: Failure, token: int) -> None:
        if self.successor is not None:
            before, ended, self.successor = self.snapshot, self.successor, None
            self.feed(e.AttemptEnded(ended, failure, token=token))
            assert (self.snapshot.state, self.snapshot.generation) == (S.READY, before.generation)

    @rule(back=st.integers(1, 3), failure=FAILURES)
    def late_callback(self, back: int, failure: Failure) -> None:
        old = self.snapshot.generation - back
        bare = [kind(old) for kind in (e.Opened, e.HandshakeDone, e.RetryDue, e.RotationDue)]
        for event in (*bare, e.AttemptEnded(old, failure), e.AttemptProgressed(old, "x", "y")):
            assert step(self.snapshot, event, self.policy) == (self.snapshot, ())

    @rule(wanted=st.booleans())
    def wait_is_over(self, wanted: bool) -> None:
        if self.scheduled is not None:
            self.feed(e.RetryScheduled(self.scheduled, 1.0, 2.0))
            due, self.scheduled = self.scheduled, None
            self.feed(e.RetryDue(due, wanted))

    @invariant()
    def a_connection_is_held_exactly_in_the_states_that_say_so(self) -> None:
        assert (self.live is not None) == (self.snapshot.state in HOLDS_CONNECTION)

    @invariant()
    def a_second_connection_is_a_named_successor_of_a_ready_one(self) -> None:
        named = self.snapshot.successor
        assert self.successor == (None if named is None else named.generation)
        assert named is None or self.snapshot.state is S.READY

    @invariant()
    def every_wait_has_its_timer_and_so_has_a_failure_that_is_looked_at_again(self) -> None:
        waits = self.snapshot.state is S.WAITING or (
            self.snapshot.state is S.FAILED and self.snapshot.next.action == "retry"
        )
        assert (self.scheduled is not None) == waits

    @invariant()
    def every_state_has_a_reason_and_a_next_step(self) -> None:
        assert self.snapshot.reason.code
        assert self.snapshot.reason.text
        assert self.snapshot.next.action


OneConnection.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
TestOneConnection = OneConnection.TestCase
