"""An upstream's machine: what follows what, and what a verdict does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.steps import POLICY, TCP, close, declared, ready, run, status
from wscli.core import commands as c
from wscli.core import events as e
from wscli.core.backoff import BackoffPolicy
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.core.machine import event_of_reload, step
from wscli.core.moves import Policy
from wscli.core.states import SETTLED, ChannelState, Reason, Snapshot, Successor
from wscli.core.transitions import UPSTREAM_TABLE, IllegalTransition

S = ChannelState


def waiting(failure: Failure = TCP) -> Snapshot:
    return run(e.Used(), e.AttemptEnded(1, failure))[0]


VERDICTS = [Verdict(action) for action in Action] + [Verdict(Action.RETRY, 9.0)]
EVENTS: list[e.UpstreamEvent] = [
    e.Used(), e.Unused(), e.StartRequested(), e.CloseRequested(), e.RedialRequested("x"), e.ReplaceRequested("x"),
    e.AttemptProgressed(1, "x", "x"), e.Opened(1), e.HandshakeDone(1), e.RetryScheduled(1, 1.0, 2.0), e.RetryDue(1),
    e.RetryDue(1, wanted=False), e.RotationDue(1), e.FellBack(1, 0, TCP), e.PongReceived(1), e.NetworkLost(),
    e.NetworkReturned(), e.TaskCrashed("x"),
    *(e.AttemptEnded(1, failure) for failure in (TCP, close(1002), close(4000), close(4100))),
    *(e.VerdictGiven(1, verdict, close(4000)) for verdict in VERDICTS),
]  # fmt: skip
SNAPSHOTS = [
    *(Snapshot(state=state, generation=1, attempt=1, failure=TCP) for state in {state for state, _ in UPSTREAM_TABLE}),
    Snapshot(state=S.WAITING, generation=1, attempt=1, failure=TCP, no_sooner=True),
    Snapshot(state=S.CONNECTING, reason=Reason("dialling", "dialling"), generation=1, attempt=1),
    replace(ready(), successor=Successor(2, S.HANDSHAKING, Reason("upgraded", "upgraded"))),
]


def test_the_table_is_what_the_machine_does() -> None:
    """Every entry of the table happens, and whatever is not in it raises."""
    policies = [POLICY, declared({"4000": "reconnect", "4100": "done", "1002": "stop"})]
    happened: dict[tuple[ChannelState, type[e.UpstreamEvent]], set[ChannelState]] = {}
    for snapshot in SNAPSHOTS:
        for policy in policies:
            for event in EVENTS:
                key = (snapshot.state, type(event))
                if key in UPSTREAM_TABLE:
                    happened.setdefault(key, set()).add(step(snapshot, event, policy)[0].state)
                else:
                    with pytest.raises(IllegalTransition, match=f"{type(event).__name__} while {snapshot.state}"):
                        step(snapshot, event, policy)
    assert happened == UPSTREAM_TABLE


def test_the_first_use_dials_and_a_second_one_changes_nothing() -> None:
    snapshot, commands = run(e.Used(), e.Opened(1), e.HandshakeDone(1))
    assert (snapshot.state, commands) == (S.READY, [c.DialNext(1)])
    assert run(e.Used(), snapshot=snapshot) == (snapshot, [])


def test_a_failed_dial_waits_with_its_reason() -> None:
    snapshot, commands = run(e.Used(), e.AttemptEnded(1, TCP), e.RetryScheduled(1, 0.3, 1000.3))
    assert (snapshot.state, snapshot.reason) == (S.WAITING, ("tcp", "connection refused"))
    assert snapshot.next == ("retry", 1000.3)
    assert commands == [c.DialNext(1), c.ScheduleRetry(1, 1, 0.0)]


def test_the_end_of_an_attempt_reported_twice_counts_once() -> None:
    assert run(e.AttemptEnded(1, TCP), snapshot=waiting()) == (waiting(), [])


@pytest.mark.parametrize(("healthy_for", "attempt", "after"), [(9.9, 3, 4), (10.0, 1, 1)])
def test_attempts_count_up_without_health_and_start_anew_with_it(healthy_for: float, attempt: int, after: int) -> None:
    snapshot, _ = run(e.Used(), e.AttemptEnded(1, TCP), e.RetryDue(1), e.AttemptEnded(2, TCP), e.RetryDue(2))
    assert snapshot.attempt == 3
    ended = e.AttemptEnded(3, close(1006), healthy_for=healthy_for)
    snapshot, commands = run(e.Opened(3), e.HandshakeDone(3), ended, snapshot=snapshot)
    assert commands == [c.ScheduleRetry(3, attempt, 0.0)]
    assert run(e.RetryDue(3), snapshot=snapshot)[0].attempt == after


def test_retry_after_is_no_sooner() -> None:
    snapshot, commands = run(e.Used(), e.AttemptEnded(1, status(503, retry_after=3.0)))
    assert commands[-1] == c.ScheduleRetry(1, 1, 3.0)
    assert snapshot.no_sooner
    for verdict, no_sooner in (({"retry": "60s"}, 60.0), ("reconnect", 3.0)):
        policy = declared({"503": verdict})
        _, commands = run(e.Used(), e.AttemptEnded(1, status(503, retry_after=3.0)), policy=policy)
        assert commands[-1] == c.ScheduleRetry(1, 1, no_sooner)


@pytest.mark.parametrize("failure", [close(4401), status(401), status(403)])
def test_a_refused_token_is_dropped_and_dialled_again_at_once_then_with_backoff(failure: Failure) -> None:
    snapshot, commands = run(e.Used(), e.AttemptEnded(1, failure, token=1))
    assert commands == [c.DialNext(1), c.ForgetTokens(1), c.DialNext(2)]
    snapshot, commands = run(e.AttemptEnded(2, failure, token=1), snapshot=snapshot)
    assert snapshot.state is S.WAITING
    assert commands == [c.ForgetTokens(2), c.ScheduleRetry(2, 2, 0.0)]


def test_a_reconnect_verdict_dials_at_once_but_once_per_health() -> None:
    snapshot = ready()
    for generation, healthy_for, at_once in ((1, 20.0, True), (2, 1.0, False), (3, 10.0, True)):
        ended = e.AttemptEnded(generation, close(4000), healthy_for=healthy_for)
        snapshot, commands = run(ended, snapshot=snapshot, policy=declared({"4000": "reconnect"}))
        assert [type(command) for command in commands] == [c.DialNext if at_once else c.ScheduleRetry]
        due = [] if at_once else [e.RetryDue(generation)]
        snapshot, _ = run(*due, e.Opened(generation + 1), e.HandshakeDone(generation + 1), snapshot=snapshot)


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


def test_a_network_change_probes_what_is_ready_and_says_so_until_the_pong() -> None:
    lost, commands = run(e.NetworkLost(), snapshot=ready())
    assert (lost.state, lost.reason, commands) == (S.READY, ("probing", "no network; probing"), [c.Probe(1)])
    assert lost.probing
    back, commands = run(e.NetworkReturned(), snapshot=lost)
    assert (back.probing, back.reason.text, commands) == (True, "the network changed; probing", [c.Probe(1)])
    assert run(e.PongReceived(1), snapshot=back) == (ready(), [])
    assert run(e.PongReceived(1), snapshot=ready()) == (ready(), [])
    assert run(e.NetworkReturned(), snapshot=ready()) == (ready(), [c.Probe(1)])
    assert run(e.NetworkReturned(moved=True), snapshot=ready()) == (back, [c.Probe(1)])


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


def test_a_wait_outlasts_the_last_use_and_the_failures_before_it_outlast_idle() -> None:
    snapshot, _ = run(e.Used(), e.AttemptEnded(1, TCP), e.RetryDue(1), e.AttemptEnded(2, close(1008)), e.Unused())
    assert (snapshot.state, snapshot.attempt) == (S.WAITING, 2)
    assert run(e.Used(), snapshot=snapshot) == (snapshot, [])
    idle, commands = run(e.RetryDue(2, wanted=False), snapshot=snapshot)
    assert (idle.state, idle.attempt, idle.in_a_row.refusals, commands) == (S.IDLE, 2, 1, [])
    assert idle.failure is snapshot.failure
    used, commands = run(e.Used(), snapshot=idle)
    assert (used.attempt, commands) == (3, [c.DialNext(4)])
    assert run(e.AttemptEnded(4, TCP), snapshot=used)[1] == [c.ScheduleRetry(4, 3, 0.0)]
    for by_hand in (e.StartRequested(), e.CloseRequested()):
        assert run(by_hand, snapshot=idle)[0].failure is None


@pytest.mark.parametrize(("healthy_for", "attempt"), [(9.9, 1), (10.0, 0)])
def test_a_connection_that_its_last_use_left_is_no_failure_and_health_ends_those_before(
    healthy_for: float, attempt: int
) -> None:
    snapshot, _ = run(e.Used(), e.AttemptEnded(1, TCP), e.RetryDue(1), e.Opened(2), e.HandshakeDone(2))
    idle, commands = run(e.Unused(healthy_for), snapshot=snapshot)
    assert (idle.state, idle.attempt, idle.failure, commands) == (S.IDLE, attempt, None, [c.Hangup(2)])


def test_a_dial_that_its_last_use_left_without_an_answer_is_hung_up_and_backed_off_from() -> None:
    dialling, _ = run(e.Used(), e.AttemptProgressed(1, "dialling", "dialling ws://h"))
    given_up, commands = run(e.Unused(), snapshot=dialling)
    assert (given_up.state, given_up.reason.code) == (S.WAITING, "timeout")
    assert commands == [c.Hangup(1), c.ScheduleRetry(1, 1, 0.0)]
    queued, _ = run(e.Used(), e.AttemptProgressed(1, "budget", "queued"))
    assert run(e.Unused(), snapshot=queued)[0].state is S.IDLE


def test_a_wait_for_a_token_source_ends_early_when_the_network_returns_or_its_source_changes() -> None:
    failed = waiting(Failure(FailureKind.TOKEN, "token 's': HTTP 503", retry_after=20.0))
    assert (failed.state, failed.no_sooner) == (S.WAITING, False)
    assert run(e.NetworkReturned(), snapshot=failed)[1] == [c.DialNext(2)]
    changed = event_of_reload(failed, dials_otherwise=False, judges_otherwise=True, wanted=True, rotates=False)
    assert isinstance(changed, e.RedialRequested)


def test_a_crash_is_stated_and_closes_what_is_open() -> None:
    snapshot, commands = run(e.TaskCrashed("KeyError"), snapshot=ready())
    assert (snapshot.state, snapshot.reason.code) == (S.FAILED, "internal")
    assert commands == [c.Hangup(1)]


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
    ],
)
def test_a_verdict_is_carried_out_on_an_open_connection_as_on_one_that_ended(
    verdict: Verdict, state: ChannelState, commands: list[c.UpstreamCommand]
) -> None:
    snapshot, done = run(e.VerdictGiven(1, verdict, close(4000)), snapshot=ready())
    assert (snapshot.state, done) == (state, commands)
    ended = run(e.AttemptEnded(1, close(4000)), snapshot=ready(), policy=declared({4000: verdict}))
    assert ended == (snapshot, [command for command in commands if command != c.Hangup(1)])
    if state in SETTLED:
        assert run(e.Used(), snapshot=snapshot) == (snapshot, []), "a use does not open it again"
