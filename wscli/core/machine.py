"""An upstream without I/O: an event in, the next snapshot and the commands to carry out.

``step`` reads no clock, draws no random number and opens no socket; events carry what it needs to know of time. What
``transitions.UPSTREAM_TABLE`` does not allow raises, and changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from wscli.core import endings, rotation
from wscli.core import events as e
from wscli.core.commands import Hangup, Probe, ScheduleRetry
from wscli.core.failures import Failure, FailureKind
from wscli.core.moves import (
    Move,
    Policy,
    close_all,
    close_unused,
    dial_next,
    dial_now,
    forgive,
    hang_up_successor,
    reason_code,
)
from wscli.core.states import HOLDS_CONNECTION, PROBING, ChannelState, Next, Reason, Snapshot
from wscli.core.transitions import UPSTREAM_TABLE, IllegalTransition

__all__ = ["event_of_reload", "step"]

S = ChannelState
Kind = FailureKind


def step(snapshot: Snapshot, event: e.UpstreamEvent, policy: Policy) -> Move:
    """Apply one event.

    Raises:
        IllegalTransition: the table does not allow it.

    """
    generation = getattr(event, "generation", snapshot.generation)
    successor = snapshot.successor
    if successor is not None and generation == successor.generation:
        _allowed(successor.state, event)
        return rotation.step_successor(snapshot, successor, event, policy.verdicts)
    if generation != snapshot.generation:
        return snapshot, ()  # a late callback of an attempt that is over
    allowed = _allowed(snapshot.state, event)
    after, commands = _apply(snapshot, event, policy)
    if after.state not in allowed:
        raise IllegalTransition(f"{snapshot.state} -> {after.state} on {type(event).__name__}")
    return after, commands


def _allowed(state: ChannelState, event: e.UpstreamEvent) -> frozenset[ChannelState]:
    try:
        return UPSTREAM_TABLE[state, type(event)]
    except KeyError:
        raise IllegalTransition(f"{type(event).__name__} while {state}") from None


def _apply(snapshot: Snapshot, event: e.UpstreamEvent, policy: Policy) -> Move:  # noqa: C901 - one case an event
    match event:
        case e.Used():
            if snapshot.state is not S.IDLE:
                return snapshot, ()
            return dial_next(snapshot, Reason(event.code, event.text), attempt=snapshot.attempt + 1)
        case e.Unused():
            return _unused(snapshot, event, policy)
        case e.CloseRequested():
            return close_unused(forgive(snapshot))
        case e.StartRequested():
            held = snapshot.state in HOLDS_CONNECTION
            return (snapshot, ()) if held else dial_now(snapshot, Reason("started", "started by hand"))
        case e.RedialRequested() | e.ReplaceRequested():
            return _redial(snapshot, event)
        case e.AttemptProgressed():
            return replace(snapshot, reason=Reason(event.code, event.text)), ()
        case e.Opened():
            return replace(snapshot, state=S.HANDSHAKING, reason=rotation.UPGRADED, next=Next("none")), ()
        case e.HandshakeDone():
            return replace(snapshot, state=S.READY, reason=rotation.READY, next=Next("none"), failure=None), ()
        case e.AttemptEnded():
            return endings.judge_end(snapshot, event, policy)
        case e.FellBack():
            return rotation.go_back(snapshot, event.back_to, event.failure)
        case e.VerdictGiven():
            return endings.judge_open(snapshot, event, policy)
        case e.RetryScheduled():
            return replace(snapshot, next=Next("retry", event.at)), ()
        case e.RetryDue(wanted=False):
            return close_unused(snapshot)
        case e.RetryDue():
            again = "trying again" if snapshot.state is S.WAITING else "looking again"
            reason = Reason("retry", f"{again}: {snapshot.reason.text}")
            return dial_next(snapshot, reason, attempt=snapshot.attempt + 1)
        case e.RotationDue():
            return _rotate(snapshot, event, policy)
        case e.PongReceived():
            return replace(snapshot, reason=rotation.READY) if snapshot.probing else snapshot, ()
        case e.NetworkLost():
            return _network_lost(snapshot)
        case e.NetworkReturned():
            return _network_returned(snapshot, event)
        case e.TaskCrashed():
            return close_all(snapshot, S.FAILED, Reason("internal", event.text), Next("start"))
        case _:
            assert_never(event)


def _unused(snapshot: Snapshot, event: e.Unused, policy: Policy) -> Move:
    """Close; a wait goes on, and a dial without an answer yet begins one: the next use must not dial sooner."""
    if snapshot.state in (S.IDLE, S.WAITING, S.FAILED, S.DONE):
        return snapshot, ()
    if snapshot.dialling:
        failure = Failure(Kind.TIMEOUT, "no answer yet when its last use ended")
        reason = Reason(reason_code(failure), failure.text)
        given_up = replace(snapshot, state=S.WAITING, reason=reason, next=Next("retry"), failure=failure)
        return given_up, (Hangup(snapshot.generation), ScheduleRetry(snapshot.generation, snapshot.attempt, 0.0))
    return close_unused(forgive(snapshot) if event.healthy_for >= policy.backoff.reset_after else snapshot)


def _redial(snapshot: Snapshot, event: e.RedialRequested | e.ReplaceRequested) -> Move:
    if snapshot.state is S.IDLE:
        return snapshot, ()
    if isinstance(event, e.RedialRequested) or snapshot.state is not S.READY:
        return dial_now(snapshot, Reason("redial", event.text))
    after, commands = rotation.dial_successor(replace(snapshot, successor=None))
    return after, (*hang_up_successor(snapshot), *commands)


def _rotate(snapshot: Snapshot, event: e.RotationDue, policy: Policy) -> Move:
    if snapshot.successor is not None:
        return snapshot, ()
    healthy = event.healthy_for >= policy.backoff.reset_after
    return rotation.dial_successor(replace(forgive(snapshot), attempt=1) if healthy else snapshot)


_FROM_THE_NETWORK = (Kind.DNS, Kind.TCP, Kind.PROXY, Kind.TIMEOUT, Kind.KEEPALIVE, Kind.TOKEN)
"""Kinds of failure that the network's return may mend; what holds back a token source is its broker's to say."""


def _network_lost(snapshot: Snapshot) -> Move:
    match snapshot.state:
        case S.READY:
            return replace(snapshot, reason=Reason(PROBING, "no network; probing")), (Probe(snapshot.generation),)
        case S.WAITING if snapshot.no_sooner:
            return snapshot, ()  # waited out: the network's return would cut it short
        case S.CONNECTING | S.HANDSHAKING | S.WAITING:
            return close_all(snapshot, S.OFFLINE, Reason("offline", "no network leads to the server"), Next("network"))
        case _:
            return snapshot, ()


def _network_returned(snapshot: Snapshot, event: e.NetworkReturned) -> Move:
    if snapshot.state is S.READY:
        doubted = snapshot.probing or event.moved
        probing = replace(snapshot, reason=Reason(PROBING, "the network changed; probing")) if doubted else snapshot
        return probing, (Probe(snapshot.generation),)
    failure, waits = snapshot.failure, snapshot.state is S.WAITING and not snapshot.no_sooner
    if snapshot.state is S.OFFLINE or (waits and failure and failure.kind in _FROM_THE_NETWORK):
        return dial_next(snapshot, Reason("network", "the network is back"), attempt=snapshot.attempt + 1)
    return snapshot, ()


def event_of_reload(
    snapshot: Snapshot, *, dials_otherwise: bool, judges_otherwise: bool, wanted: bool, rotates: bool
) -> e.RedialRequested | e.ReplaceRequested | e.CloseRequested | None:
    """Give the event that leaves a state of the old plan; None where the state is not affected.

    An open connection, or a dial under way, is affected where another would be opened now. A wait, a failure and the
    like are affected as well where they would be judged otherwise. Only a wait that the server itself asked for is
    waited out, unless another server is dialled now.

    Args:
        snapshot: the state of the upstream.
        dials_otherwise: whether how to connect changed.
        judges_otherwise: whether the verdicts, the backoff or a token source changed.
        wanted: whether a channel uses the upstream.
        rotates: whether a ready connection is replaced without being closed first.

    """
    held, failure = snapshot.state in HOLDS_CONNECTION, snapshot.failure
    asked_for = snapshot.no_sooner and failure is not None and failure.retry_after is not None
    affected = dials_otherwise or (judges_otherwise and not held and not asked_for)
    if not affected:
        return None
    if not wanted or snapshot.state is S.IDLE:
        return e.CloseRequested()
    if rotates and snapshot.state is S.READY:
        return e.ReplaceRequested("the configuration changed")
    return e.RedialRequested("the configuration changed")
