"""The machine in a rotation: the ready connection stays until its successor is ready."""

from __future__ import annotations

import pytest

from tests.core.steps import POLICY, TCP, close, declared, ready, rotating, run, status
from wscli.core import commands as c
from wscli.core import events as e
from wscli.core.failures import Action, Verdict
from wscli.core.machine import step
from wscli.core.states import ChannelState, Snapshot
from wscli.core.transitions import IllegalTransition

S = ChannelState
REPLACE = Verdict(Action.REPLACE)


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


def test_an_event_that_the_successor_cannot_have_raises() -> None:
    with pytest.raises(IllegalTransition, match="HandshakeDone while connecting"):
        step(rotating(), e.HandshakeDone(2), POLICY)


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
    failed = "connected and ready; rotates again later, the next connection failed: connection refused"
    assert snapshot.reason == ("ready", failed)
    snapshot, commands = run(e.RotationDue(1), e.AttemptEnded(3, status(503, retry_after=9.0)), snapshot=snapshot)
    assert commands == [c.DialSuccessor(3), c.ScheduleRotation(1, 2, 9.0)]
    assert run(e.HandshakeDone(2), e.Opened(3), snapshot=snapshot) == (snapshot, []), "callbacks of those that are over"


@pytest.mark.parametrize(
    ("event", "commands"),
    [
        (e.AttemptEnded(2, status(401), token=1), [c.ForgetTokens(2), c.ScheduleRotation(1, 1, 0.0)]),
        (e.AttemptEnded(2, status(410)), [c.ScheduleRotation(1, 1, 0.0)]),
        (e.VerdictGiven(2, Verdict(Action.RETRY), close(4000)), [c.ScheduleRotation(1, 1, 0.0), c.Hangup(2)]),
    ],
    ids=["its token is dropped, and it is not dialled at once", "a refusal is not final", "by a verdict"],
)
def test_a_successor_that_is_refused_leaves_the_ready_connection_alone(
    event: e.UpstreamEvent, commands: list[c.UpstreamCommand]
) -> None:
    snapshot, done = run(event, snapshot=rotating())
    assert (snapshot.state, snapshot.generation, snapshot.successor) == (S.READY, 1, None)
    assert done == commands


@pytest.mark.parametrize(("events", "state"), [((), S.CONNECTING), ((e.Opened(2),), S.HANDSHAKING)])
def test_a_successor_is_the_one_attempt_once_the_connection_before_it_ends(
    events: tuple[e.UpstreamEvent, ...], state: ChannelState
) -> None:
    snapshot, commands = run(*events, e.AttemptEnded(1, close(1006)), snapshot=rotating())
    assert commands == [c.Succeed(2)]
    assert (snapshot.state, snapshot.generation, snapshot.successor) == (state, 2, None)
    snapshot, commands = run(e.AttemptEnded(2, TCP), snapshot=snapshot)
    assert commands == [c.ScheduleRetry(2, 1, 0.0)]
    assert run(e.RetryDue(2), snapshot=snapshot)[1] == [c.DialNext(3)]


def test_a_verdict_lets_a_successor_take_the_place_of_the_connection_that_it_closes() -> None:
    snapshot, commands = run(e.VerdictGiven(1, Verdict(Action.RECONNECT), close(4000)), snapshot=rotating())
    assert (snapshot.state, snapshot.generation, commands) == (S.CONNECTING, 2, [c.Hangup(1), c.Succeed(2)])


def test_a_successor_is_hung_up_where_the_server_asks_to_wait() -> None:
    snapshot, commands = run(e.AttemptEnded(1, close(1012, retry_after=9.0)), snapshot=rotating())
    assert commands[0] == c.Hangup(2)
    assert (snapshot.successor, snapshot.state) == (None, S.WAITING)


@pytest.mark.parametrize("code", [1000, 1002, 1008, 4000, 4409])
def test_a_close_of_the_old_connection_is_not_judged_while_its_successor_is_opened(code: int) -> None:
    policy = declared({4409: "stop"})
    snapshot, commands = run(e.AttemptEnded(1, close(code)), snapshot=rotating(), policy=policy)
    assert commands == [c.Succeed(2)]
    assert (snapshot.state, snapshot.generation) == (S.CONNECTING, 2)
    assert (snapshot.failure, snapshot.in_a_row.refusals) == (None, 0)
    refused, _ = run(e.AttemptEnded(2, close(1002)), snapshot=snapshot)
    assert refused.failure == close(1002), "the successor's own end is"


CLOSING = [e.CloseRequested(), e.RedialRequested("x"), e.Unused(), e.TaskCrashed("x")]


@pytest.mark.parametrize("event", CLOSING, ids=lambda event: type(event).__name__)
def test_whatever_closes_the_connection_hangs_up_its_successor_too(event: e.UpstreamEvent) -> None:
    snapshot, commands = run(event, snapshot=rotating())
    assert commands[:2] == [c.Hangup(1), c.Hangup(2)]
    assert (snapshot.successor, snapshot.generation) == (None, 3)


def test_a_replacement_leaves_the_ready_connection_alone_until_the_next_one_is_ready() -> None:
    snapshot, commands = run(e.ReplaceRequested("reload"), snapshot=ready())
    assert (snapshot.state, snapshot.generation, commands) == (S.READY, 1, [c.DialSuccessor(2)])
    snapshot, commands = run(e.ReplaceRequested("reload"), snapshot=snapshot)
    assert (snapshot.generation, commands) == (1, [c.Hangup(2), c.DialSuccessor(3)]), "of two, the later one counts"


@pytest.mark.parametrize("state", [S.CONNECTING, S.HANDSHAKING, S.WAITING, S.OFFLINE, S.IDLE, S.FAILED, S.DONE])
def test_where_nothing_is_ready_a_replacement_is_a_redial(state: ChannelState) -> None:
    snapshot = Snapshot(state=state, generation=1, attempt=1)
    assert step(snapshot, e.ReplaceRequested("x"), POLICY) == step(snapshot, e.RedialRequested("x"), POLICY)


def test_a_replacement_by_verdict_is_dialled_at_once_only_once_per_health() -> None:
    snapshot, commands = run(e.VerdictGiven(1, REPLACE, close(4000)), snapshot=ready())
    assert (snapshot.state, commands) == (S.READY, [c.DialSuccessor(2)])
    snapshot, _ = run(e.Opened(2), e.HandshakeDone(2), snapshot=snapshot)
    later, commands = run(e.VerdictGiven(2, REPLACE, close(4000), 1.0), snapshot=snapshot)
    assert (later.state, commands) == (S.READY, [c.ScheduleRotation(2, 1, 0.0)])
    assert run(e.VerdictGiven(2, REPLACE, close(4000), 10.0), snapshot=snapshot)[1] == [c.DialSuccessor(3)]


def test_a_replacement_by_verdict_where_nothing_is_ready_reconnects() -> None:
    snapshot, commands = run(e.Used(), e.Opened(1), e.VerdictGiven(1, REPLACE, close(4000)))
    assert (snapshot.state, commands) == (S.CONNECTING, [c.DialNext(1), c.Hangup(1), c.DialNext(2)])
