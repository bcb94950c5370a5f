"""An upstream's machine: what follows what, what a verdict does, and that a late callback does nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.examples import EXAMPLES
from wscli.core import commands as c
from wscli.core import events as e
from wscli.core.actions import Action, Verdict
from wscli.core.backoff import BackoffPolicy
from wscli.core.machine import step
from wscli.core.moves import Policy
from wscli.core.snapshot import Reason, Snapshot, Successor
from wscli.core.states import HOLDS_CONNECTION, UPSTREAM_TABLE, ChannelState, IllegalTransition
from wscli.core.verdicts import parse_verdicts

S = ChannelState
POLICY = Policy(BackoffPolicy())


def close(code: int, **more: Any) -> e.Failure:
    return e.Failure(e.FailureKind.CLOSE, f"closed by the server: {code}", code=code, by="peer", **more)


def status(code: int, **more: Any) -> e.Failure:
    return e.Failure(e.FailureKind.STATUS, f"HTTP {code}", code=code, **more)


TCP = e.Failure(e.FailureKind.TCP, "connection refused")


def run(
    *events: e.UpstreamEvent, snapshot: Snapshot | None = None, policy: Policy = POLICY
) -> tuple[Snapshot, list[Any]]:
    snapshot, commands = snapshot or Snapshot(), []
    for event in events:
        snapshot, more = step(snapshot, event, policy)
        commands += more
    return snapshot, commands


def ready(policy: Policy = POLICY) -> Snapshot:
    return run(e.Used(), e.Opened(1), e.HandshakeDone(1), policy=policy)[0]


def waiting(failure: e.Failure = TCP) -> Snapshot:
    return run(e.Used(), e.AttemptEnded(1, failure))[0]


def test_first_use_dials_and_becomes_ready() -> None:
    snapshot, commands = run(e.Used(), e.Opened(1), e.HandshakeDone(1))
    assert snapshot.state is S.READY
    assert commands == [c.DialNext(1)]


def test_a_second_use_changes_nothing() -> None:
    assert run(e.Used(), snapshot=ready()) == (ready(), [])


def test_a_late_callback_of_an_old_attempt_changes_nothing() -> None:
    snapshot, _ = run(e.RedialRequested("restarted by hand"), snapshot=ready())
    assert snapshot.generation == 2
    for event in (
        e.Opened(1),
        e.HandshakeDone(1),
        e.AttemptEnded(1, TCP),
        e.RetryDue(1),
        e.AttemptProgressed(1, "x", "y"),
    ):
        assert step(snapshot, event, POLICY) == (snapshot, ())


def test_an_illegal_event_raises() -> None:
    with pytest.raises(IllegalTransition, match="HandshakeDone while connecting"):
        step(run(e.Used())[0], e.HandshakeDone(1), POLICY)
    with pytest.raises(IllegalTransition, match="Opened while ready"):
        step(ready(), e.Opened(1), POLICY)


def test_a_failed_dial_waits_with_its_reason() -> None:
    snapshot, commands = run(e.Used(), e.AttemptEnded(1, TCP), e.RetryScheduled(1, 0.3, 1000.3))
    assert (snapshot.state, snapshot.reason.code, snapshot.reason.text) == (S.WAITING, "tcp", "connection refused")
    assert snapshot.next == ("retry", 1000.3)
    assert commands == [c.DialNext(1), c.ScheduleRetry(1, 1, 0.0)]


def test_the_end_of_an_attempt_reported_twice_counts_once() -> None:
    once, _ = run(e.Used(), e.AttemptEnded(1, TCP))
    assert run(e.AttemptEnded(1, TCP), snapshot=once) == (once, [])


def test_attempts_count_up_without_health_and_start_anew_with_it() -> None:
    snapshot, _ = run(e.Used(), e.AttemptEnded(1, TCP), e.RetryDue(1), e.AttemptEnded(2, TCP), e.RetryDue(2))
    assert snapshot.attempt == 3
    snapshot, commands = run(
        e.Opened(3), e.HandshakeDone(3), e.AttemptEnded(3, close(1006), healthy_for=10.0), snapshot=snapshot
    )
    assert commands[-1] == c.ScheduleRetry(3, 1, 0.0)
    assert run(e.RetryDue(3), snapshot=snapshot)[0].attempt == 1


def test_a_connection_that_closes_at_once_does_not_reset_the_backoff() -> None:
    snapshot, generation = run(e.Used())[0], 1
    for attempt in range(1, 6):
        snapshot, commands = run(
            e.Opened(generation),
            e.HandshakeDone(generation),
            e.AttemptEnded(generation, close(1000), healthy_for=9.9),
            snapshot=snapshot,
        )
        assert commands == [c.ScheduleRetry(generation, attempt, 0.0)]
        snapshot, _ = run(e.RetryDue(generation), snapshot=snapshot)
        generation += 1


def test_retry_after_is_no_sooner() -> None:
    snapshot, commands = run(e.Used(), e.AttemptEnded(1, status(503, retry_after=3.0)))
    assert commands[-1] == c.ScheduleRetry(1, 1, 3.0)
    assert snapshot.no_sooner
    declared = Policy(BackoffPolicy(), (parse_verdicts({"503": {"retry": "60s"}}),))
    assert run(e.Used(), e.AttemptEnded(1, status(503, retry_after=3.0)), policy=declared)[1][-1].no_sooner == 60.0


@pytest.mark.parametrize("failure", [close(4401), status(401), status(403)])
def test_a_refused_token_is_dropped_and_dialled_again_at_once_then_with_backoff(failure: e.Failure) -> None:
    snapshot, commands = run(e.Used(), e.AttemptEnded(1, failure, token_used=True))
    assert commands == [c.DialNext(1), c.ForgetTokens(1), c.DialNext(2)]
    snapshot, commands = run(e.AttemptEnded(2, failure, token_used=True), snapshot=snapshot)
    assert snapshot.state is S.WAITING
    assert commands == [c.ForgetTokens(2), c.ScheduleRetry(2, 2, 0.0)]


@pytest.mark.parametrize("failure", [close(4401), status(401), status(403)])
def test_credentials_refused_without_a_token_fail_for_authentication(failure: e.Failure) -> None:
    snapshot, _ = run(e.Used(), e.AttemptEnded(1, failure))
    assert snapshot.state is S.FAILED
    assert snapshot.refused_credentials
    assert snapshot.next.action == "start"


def test_a_reconnect_verdict_dials_at_once_but_once_per_health() -> None:
    policy = Policy(BackoffPolicy(), (parse_verdicts({"4000": "reconnect"}),))
    snapshot, commands = run(e.AttemptEnded(1, close(4000), healthy_for=20.0), snapshot=ready(), policy=policy)
    assert commands == [c.DialNext(2)]
    snapshot, commands = run(
        e.Opened(2),
        e.HandshakeDone(2),
        e.AttemptEnded(2, close(4000), healthy_for=1.0),
        snapshot=snapshot,
        policy=policy,
    )
    assert [type(command) for command in commands] == [c.ScheduleRetry]
    snapshot, commands = run(
        e.RetryDue(2),
        e.Opened(3),
        e.HandshakeDone(3),
        e.AttemptEnded(3, close(4000), healthy_for=10.0),
        snapshot=snapshot,
        policy=policy,
    )
    assert commands == [c.DialNext(3), c.DialNext(4)]


def test_done_ends_without_an_error_and_a_new_use_does_not_reopen_it() -> None:
    policy = Policy(BackoffPolicy(), (parse_verdicts({"4100": "done"}),))
    snapshot, commands = run(e.AttemptEnded(1, close(4100)), e.Used(), snapshot=ready(), policy=policy)
    assert snapshot.state is S.DONE
    assert commands == []


def test_policy_violations_stop_after_three_in_a_row() -> None:
    snapshot, _ = run(
        e.Used(), e.AttemptEnded(1, close(1008)), e.RetryDue(1), e.AttemptEnded(2, close(1008)), e.RetryDue(2)
    )
    assert run(e.AttemptEnded(3, close(1006)), snapshot=snapshot)[0].policy_violations == 0
    assert run(e.AttemptEnded(3, close(1008)), snapshot=snapshot)[0].state is S.FAILED


def test_giving_up_names_the_attempts_and_the_last_reason() -> None:
    policy = Policy(BackoffPolicy(give_up={"attempts": "2"}))  # type: ignore[arg-type]  # as a file says it
    snapshot, _ = run(
        e.Used(), e.AttemptEnded(1, TCP), e.RetryDue(1), e.AttemptEnded(2, TCP, without_health=4.0), policy=policy
    )
    assert snapshot.state is S.FAILED
    assert snapshot.reason.text == "gave up after 2 attempts in 4s: connection refused"


def test_nothing_is_dialled_while_offline_and_the_attempt_is_not_counted() -> None:
    snapshot, commands = run(e.Used(), e.NetworkLost())
    assert (snapshot.state, snapshot.attempt) == (S.OFFLINE, 0)
    assert commands == [c.DialNext(1), c.Hangup(1)]
    snapshot, commands = run(e.NetworkReturned(), snapshot=snapshot)
    assert (snapshot.state, snapshot.attempt) == (S.CONNECTING, 1)
    assert commands == [c.DialNext(3)]


def test_a_network_change_probes_what_is_ready() -> None:
    assert run(e.NetworkLost(), e.NetworkReturned(), snapshot=ready()) == (ready(), [c.Probe(1), c.Probe(1)])


def test_a_returning_network_cuts_short_a_wait_for_the_network_but_never_a_wait_that_was_asked_for() -> None:
    assert run(e.NetworkReturned(), snapshot=waiting())[1] == [c.DialNext(2)]
    for failure in (status(503, retry_after=30.0), status(500), close(1011)):
        assert run(e.NetworkReturned(), snapshot=waiting(failure))[1] == []


def test_a_wait_that_was_asked_for_outlasts_the_last_use_and_the_network() -> None:
    asked = waiting(status(503, retry_after=30.0))
    for event in (e.Unused(), e.NetworkLost(), e.NetworkReturned(), e.Used()):
        assert step(asked, event, POLICY) == (asked, ())
    assert run(e.RetryDue(1, wanted=False), snapshot=asked)[0].state is S.IDLE
    assert run(e.RetryDue(1), snapshot=asked)[1] == [c.DialNext(2)]


def test_a_redial_closes_the_old_connection_before_the_new_one() -> None:
    assert run(e.RedialRequested("reload"), snapshot=ready())[1] == [c.Hangup(1), c.DialNext(2)]


def test_a_replacement_leaves_the_ready_connection_alone_until_the_next_one_is_ready() -> None:
    snapshot, commands = run(e.ReplaceRequested("reload"), snapshot=ready())
    assert (snapshot.state, snapshot.generation, commands) == (S.READY, 1, [c.DialSuccessor(2)])
    snapshot, commands = run(e.ReplaceRequested("reload"), snapshot=snapshot)
    assert (snapshot.generation, commands) == (1, [c.Hangup(2), c.DialSuccessor(3)]), "of two, the later one counts"


@pytest.mark.parametrize("state", [S.CONNECTING, S.HANDSHAKING, S.WAITING, S.OFFLINE, S.IDLE, S.FAILED, S.DONE])
def test_where_nothing_is_ready_a_replacement_is_a_redial(state: ChannelState) -> None:
    snapshot = replace(Snapshot(), state=state, generation=1, attempt=1)
    assert step(snapshot, e.ReplaceRequested("x"), POLICY) == step(snapshot, e.RedialRequested("x"), POLICY)


def test_a_crash_is_stated_and_closes_what_is_open() -> None:
    snapshot, commands = run(e.TaskCrashed("KeyError"), snapshot=ready())
    assert (snapshot.state, snapshot.reason.code) == (S.FAILED, "internal")
    assert commands == [c.Hangup(1)]


def rotating() -> Snapshot:
    return run(e.RotationDue(1), snapshot=ready())[0]


def test_a_rotation_dials_a_successor_and_leaves_the_ready_connection_alone() -> None:
    snapshot, commands = run(e.RotationDue(1), e.AttemptProgressed(2, "token", "fetching"), snapshot=ready())
    assert commands == [c.DialSuccessor(2)]
    assert (snapshot.state, snapshot.generation) == (S.READY, 1)
    assert snapshot.successor == (2, S.CONNECTING, ("token", "fetching"))
    assert snapshot.reason == ("rotating", "connected and ready; rotating, the next connection: fetching")
    assert run(e.RotationDue(1), snapshot=snapshot) == (snapshot, []), "a second successor"


def test_a_successor_that_is_ready_takes_the_place_of_the_connection_and_the_state_stays_ready() -> None:
    snapshot, commands = run(e.Opened(2), e.HandshakeDone(2), snapshot=rotating())
    assert commands == [c.Succeed(2)]
    assert (snapshot.state, snapshot.generation, snapshot.successor) == (S.READY, 2, None)
    assert snapshot.reason.code == "ready"
    assert run(e.AttemptEnded(1, close(1000)), e.RotationDue(1), snapshot=snapshot) == (snapshot, [])


def test_a_rotation_after_health_forgives_what_went_before() -> None:
    failed_once, _ = run(e.Used(), e.AttemptEnded(1, TCP), e.RetryDue(1), e.Opened(2), e.HandshakeDone(2))
    assert failed_once.attempt == 2
    assert run(e.RotationDue(2, healthy_for=9.9), snapshot=failed_once)[0].attempt == 2
    after, _ = run(e.RotationDue(2, healthy_for=10.0), snapshot=failed_once)
    assert (after.attempt, after.failure) == (1, None)


def test_a_successor_that_fails_leaves_the_connection_and_the_rotation_is_due_again_with_backoff() -> None:
    snapshot, commands = run(e.AttemptEnded(2, TCP), snapshot=rotating())
    assert commands == [c.ScheduleRotation(1, 1, 0.0)]
    assert (snapshot.state, snapshot.generation, snapshot.successor) == (S.READY, 1, None)
    assert snapshot.reason == (
        "ready",
        "connected and ready; to be rotated again, the next connection failed: connection refused",
    )
    snapshot, commands = run(e.RotationDue(1), e.AttemptEnded(3, status(503, retry_after=9.0)), snapshot=snapshot)
    assert commands == [c.DialSuccessor(3), c.ScheduleRotation(1, 2, 9.0)]
    assert run(e.HandshakeDone(2), e.Opened(3), snapshot=snapshot) == (snapshot, []), "callbacks of those that are over"


def test_the_token_of_a_refused_successor_is_dropped_and_it_is_not_dialled_at_once() -> None:
    _, commands = run(e.AttemptEnded(2, status(401), token_used=True), snapshot=rotating())
    assert commands == [c.ForgetTokens(2), c.ScheduleRotation(1, 1, 0.0)]


def test_a_successor_that_is_refused_for_good_ends_the_rotations_and_not_the_connection() -> None:
    snapshot, commands = run(e.AttemptEnded(2, status(410)), snapshot=rotating())
    assert (snapshot.state, commands) == (S.READY, [])
    assert snapshot.reason.text == "connected and ready; not to be rotated, the next connection was refused: HTTP 410"


@pytest.mark.parametrize(("events", "state"), [((), S.CONNECTING), ((e.Opened(2),), S.HANDSHAKING)])
def test_a_successor_is_the_one_attempt_once_the_connection_before_it_ends(
    events: tuple[e.UpstreamEvent, ...], state: ChannelState
) -> None:
    snapshot, commands = run(*events, e.AttemptEnded(1, close(1006)), snapshot=rotating())
    assert commands == [c.Succeed(2)]
    assert (snapshot.state, snapshot.generation, snapshot.successor) == (state, 2, None)
    snapshot, commands = run(e.AttemptEnded(2, TCP), snapshot=snapshot)
    assert commands == [c.ScheduleRetry(2, 2, 0.0)]
    assert run(e.RetryDue(2), snapshot=snapshot)[1] == [c.DialNext(3)]


@pytest.mark.parametrize("failure", [close(1002), close(1012, retry_after=9.0)])
def test_a_successor_is_hung_up_where_the_end_says_not_to_dial(failure: e.Failure) -> None:
    snapshot, commands = run(e.AttemptEnded(1, failure), snapshot=rotating())
    assert commands[0] == c.Hangup(2)
    assert snapshot.successor is None
    assert snapshot.state is (S.WAITING if failure.retry_after else S.FAILED)


@pytest.mark.parametrize(
    "event",
    [e.CloseRequested(), e.RedialRequested("x"), e.Unused(), e.TaskCrashed("x")],
    ids=lambda event: type(event).__name__,
)
def test_whatever_closes_the_connection_hangs_up_its_successor_too(event: e.UpstreamEvent) -> None:
    snapshot, commands = run(event, snapshot=rotating())
    assert commands[:2] == [c.Hangup(1), c.Hangup(2)]
    assert (snapshot.successor, snapshot.generation) == (None, 3)


FAILURES = st.sampled_from(
    [
        TCP,
        close(1000),
        close(1006),
        close(1008),
        close(4401),
        close(4000),
        close(4100),
        close(1002),
        status(401),
        status(503),
    ]
)
POLICIES = st.sampled_from(
    [
        POLICY,
        Policy(BackoffPolicy(), (parse_verdicts({"4000": "reconnect", "4100": "done", "503": "fresh"}),)),
        Policy(BackoffPolicy(give_up={"attempts": "3"})),  # type: ignore[arg-type]  # as a file says it
    ]
)


STAGES = {S.CONNECTING: "dialling", S.HANDSHAKING: "open", S.READY: "ready"}


class OneConnection(RuleBasedStateMachine):
    """Whatever happens in whatever order: one live attempt at most, and none without a state that says so."""

    @initialize(policy=POLICIES)
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
        if self.snapshot.state is not S.WAITING or self.snapshot.generation != before.generation:
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
            case c.ScheduleRetry(generation):
                assert self.scheduled is None
                self.scheduled = generation

    @rule(event=st.sampled_from([e.Used(), e.Unused(), e.NetworkLost(), e.NetworkReturned(), e.TaskCrashed("x")]))
    def surroundings(self, event: e.UpstreamEvent) -> None:
        self.feed(event)

    @rule(
        event=st.sampled_from(
            [e.StartRequested(), e.CloseRequested(), e.RedialRequested("reload"), e.ReplaceRequested("reload")]
        )
    )
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

    @rule(failure=FAILURES, healthy_for=st.sampled_from([0.0, 1.0, 60.0]), token_used=st.booleans())
    def attempt_ends(self, failure: e.Failure, healthy_for: float, token_used: bool) -> None:
        if self.live is not None:
            ended, self.live = self.live, None
            self.feed(e.AttemptEnded(ended, failure, healthy_for=healthy_for, token_used=token_used))

    @rule(
        failure=FAILURES, action=st.sampled_from(Action), healthy_for=st.sampled_from([0.0, 60.0]), late=st.booleans()
    )
    def verdict_is_given(self, failure: e.Failure, action: Action, healthy_for: float, late: bool) -> None:
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

    @rule(failure=FAILURES, token_used=st.booleans())
    def successor_fails(self, failure: e.Failure, token_used: bool) -> None:
        if self.successor is not None:
            before, ended, self.successor = self.snapshot, self.successor, None
            self.feed(e.AttemptEnded(ended, failure, token_used=token_used))
            assert (self.snapshot.state, self.snapshot.generation) == (S.READY, before.generation)

    @rule(back=st.integers(1, 3), failure=FAILURES)
    def late_callback(self, back: int, failure: e.Failure) -> None:
        old = self.snapshot.generation - back
        for event in (
            e.Opened(old),
            e.HandshakeDone(old),
            e.AttemptEnded(old, failure),
            e.RetryDue(old),
            e.RotationDue(old),
        ):
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
    def every_wait_has_its_timer(self) -> None:
        assert (self.scheduled is not None) == (self.snapshot.state is S.WAITING)

    @invariant()
    def every_state_has_a_reason_and_a_next_step(self) -> None:
        assert self.snapshot.reason.code
        assert self.snapshot.reason.text
        assert self.snapshot.next.action


OneConnection.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
TestOneConnection = OneConnection.TestCase


VERDICTS = [Verdict(action) for action in Action] + [Verdict(Action.RETRY, 9.0)]
EVENTS: list[e.UpstreamEvent] = [
    e.Used(), e.Unused(), e.StartRequested(), e.CloseRequested(), e.RedialRequested("x"), e.ReplaceRequested("x"),
    e.AttemptProgressed(1, "x", "x"), e.Opened(1), e.HandshakeDone(1), e.RetryScheduled(1, 1.0, 2.0), e.RetryDue(1),
    e.RetryDue(1, wanted=False), e.RotationDue(1), e.NetworkLost(), e.NetworkReturned(), e.TaskCrashed("x"),
    *(e.AttemptEnded(1, failure) for failure in (TCP, close(1002), close(4000), close(4100))),
    *(e.VerdictGiven(1, verdict, close(4000)) for verdict in VERDICTS),
]  # fmt: skip
SNAPSHOTS = [
    replace(Snapshot(), state=state, generation=1, attempt=1, failure=TCP)
    for state in {state for state, _ in UPSTREAM_TABLE}
]
SNAPSHOTS += [
    replace(Snapshot(), state=S.WAITING, generation=1, attempt=1, failure=TCP, no_sooner=True),
    replace(ready(), successor=Successor(2, S.HANDSHAKING, Reason("upgraded", "upgraded"))),
]


def test_the_table_is_what_the_machine_does() -> None:
    """Every entry of the table happens, and whatever is not in it raises."""
    policies = [POLICY, Policy(BackoffPolicy(), (parse_verdicts({"4000": "reconnect", "4100": "done"}),))]
    happened: dict[tuple[ChannelState, type[e.UpstreamEvent]], set[ChannelState]] = {}
    for snapshot in SNAPSHOTS:
        for policy in policies:
            for event in EVENTS:
                key = (snapshot.state, type(event))
                if key in UPSTREAM_TABLE:
                    happened.setdefault(key, set()).add(step(snapshot, event, policy)[0].state)
                else:
                    with pytest.raises(IllegalTransition):
                        step(snapshot, event, policy)
    assert happened == UPSTREAM_TABLE


def test_an_event_that_the_successor_cannot_have_raises() -> None:
    with pytest.raises(IllegalTransition, match="HandshakeDone while connecting"):
        step(rotating(), e.HandshakeDone(2), POLICY)


@pytest.mark.parametrize(
    ("verdict", "state", "commands"),
    [
        (Verdict(Action.STOP), S.FAILED, [c.Hangup(1)]),
        (Verdict(Action.DONE), S.DONE, [c.Hangup(1)]),
        (Verdict(Action.RETRY), S.WAITING, [c.Hangup(1), c.ScheduleRetry(1, 1, 0.0)]),
        (Verdict(Action.RETRY, 60.0), S.WAITING, [c.Hangup(1), c.ScheduleRetry(1, 1, 60.0)]),
        (Verdict(Action.RECONNECT), S.CONNECTING, [c.Hangup(1), c.DialNext(2)]),
        (Verdict(Action.REAUTH), S.CONNECTING, [c.ForgetTokens(1), c.Hangup(1), c.DialNext(2)]),
        (Verdict(Action.FRESH), S.CONNECTING, [c.ForgetSession(1), c.Hangup(1), c.DialNext(2)]),
        (Verdict(Action.REPLACE), S.READY, [c.DialSuccessor(2)]),
    ],
)
def test_a_verdict_on_an_open_connection_is_carried_out_without_waiting_for_its_end(
    verdict: Verdict, state: ChannelState, commands: list[c.UpstreamCommand]
) -> None:
    snapshot, done = run(e.VerdictGiven(1, verdict, close(4000)), snapshot=ready())
    assert (snapshot.state, done) == (state, commands)


def test_a_replacement_by_verdict_is_dialled_at_once_only_once_per_health() -> None:
    replaced = e.VerdictGiven(1, Verdict(Action.REPLACE), close(4000))
    snapshot, _ = run(replaced, e.Opened(2), e.HandshakeDone(2), snapshot=ready())
    later, commands = run(e.VerdictGiven(2, Verdict(Action.REPLACE), close(4000), 1.0), snapshot=snapshot)
    assert (later.state, commands) == (S.READY, [c.ScheduleRotation(2, 1, 0.0)])
    _, commands = run(e.VerdictGiven(2, Verdict(Action.REPLACE), close(4000), 10.0), snapshot=snapshot)
    assert commands == [c.DialSuccessor(3)]


def test_a_replacement_by_verdict_where_nothing_is_ready_reconnects() -> None:
    snapshot, commands = run(e.Used(), e.Opened(1), e.VerdictGiven(1, Verdict(Action.REPLACE), close(4000)))
    assert (snapshot.state, commands) == (S.CONNECTING, [c.DialNext(1), c.Hangup(1), c.DialNext(2)])


def test_a_verdict_on_a_successor_leaves_the_ready_connection_alone() -> None:
    snapshot, commands = run(e.VerdictGiven(2, Verdict(Action.RETRY), close(4000)), snapshot=rotating())
    assert (snapshot.state, snapshot.generation, snapshot.successor) == (S.READY, 1, None)
    assert commands == [c.ScheduleRotation(1, 1, 0.0), c.Hangup(2)]


def test_a_verdict_lets_a_successor_take_the_place_of_the_connection_that_it_closes() -> None:
    snapshot, commands = run(e.VerdictGiven(1, Verdict(Action.RECONNECT), close(4000)), snapshot=rotating())
    assert (snapshot.state, snapshot.generation, commands) == (S.CONNECTING, 2, [c.Hangup(1), c.Succeed(2)])


def test_an_end_with_the_verdict_fresh_forgets_the_session_before_the_next_dial() -> None:
    policy = Policy(BackoffPolicy(), (parse_verdicts({"4007": "fresh"}),))
    assert run(e.AttemptEnded(1, close(4007)), snapshot=ready(), policy=policy)[1] == [
        c.ForgetSession(1),
        c.DialNext(2),
    ]
