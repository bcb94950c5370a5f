"""A channel without I/O: an event in, the next snapshot and the actions to carry out.

``step`` reads no clock, draws no chance and opens no socket; what it needs to know of time comes in the events. A step
that ``states.TRANSITIONS`` does not allow raises, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from wscli.core import rotation
from wscli.core.backoff import BackoffPolicy, gives_up
from wscli.core.commands import Command, Dial, ForgetTokens, Hangup, Probe, ScheduleRetry
from wscli.core.events import (
    AttemptEnded,
    AttemptProgressed,
    Event,
    Failure,
    FailureKind,
    HandshakeDone,
    LingerElapsed,
    NetworkLost,
    NetworkReturned,
    Opened,
    PauseRequested,
    RedialRequested,
    ReplaceRequested,
    ResumeRequested,
    RetryDue,
    RetryScheduled,
    RotationDue,
    StartRequested,
    StopRequested,
    TaskCrashed,
    Used,
)
from wscli.core.snapshot import Next, Reason, Snapshot
from wscli.core.states import HOLDS_CONNECTION, SETTLED, TRANSITIONS, ChannelState
from wscli.core.verdicts import POLICY_VIOLATION, Action, Verdict, VerdictTable, decide
from wscli.values import format_duration

__all__ = ["IllegalTransition", "Policy", "reason_code", "step"]

S = ChannelState


class IllegalTransition(RuntimeError):
    """A step that the table does not allow: an error of ours, never of a user."""


class Policy(NamedTuple):
    """What the machine is governed by; it may change between two steps."""

    backoff: BackoffPolicy
    verdicts: Sequence[VerdictTable] = ()


Step = tuple[Snapshot, tuple[Command, ...]]


def step(snapshot: Snapshot, event: Event, policy: Policy) -> Step:
    """Take one event.

    Raises:
        IllegalTransition: the event would lead where the table does not allow.

    """
    generation = getattr(event, "generation", snapshot.generation)
    if snapshot.successor is not None and generation == snapshot.successor.generation:
        return rotation.of_successor(snapshot, snapshot.successor, event, policy.verdicts)
    if generation != snapshot.generation:
        return snapshot, ()  # a late callback of an attempt that is over
    after, commands = _HANDLERS[type(event)](snapshot, event, policy)
    if after.state is not snapshot.state and after.state not in TRANSITIONS[snapshot.state]:
        raise IllegalTransition(f"{snapshot.state} -> {after.state} on {type(event).__name__}")
    return after, commands


def _dial(snapshot: Snapshot, reason: Reason, *, attempt: int) -> Snapshot:
    return replace(
        snapshot,
        state=S.CONNECTING,
        reason=reason,
        next=Next("dial"),
        generation=rotation.next_generation(snapshot),
        attempt=attempt,
        no_sooner=False,
        successor=None,
        rotation_failures=0,
    )


def _dial_now(snapshot: Snapshot, reason: Reason) -> Step:
    """Dial after forgetting what went before, hanging up first where something is open."""
    after = _dial(_forgiven(snapshot), reason, attempt=1)
    return after, (*_hangup(snapshot), Dial(after.generation))


def _forgiven(snapshot: Snapshot) -> Snapshot:
    return replace(snapshot, failure=None, policy_violations=0, reconnected=False, reauthed=False)


def _hangup(snapshot: Snapshot) -> tuple[Command, ...]:
    held = (Hangup(snapshot.generation),) if snapshot.state in HOLDS_CONNECTION else ()
    return (*held, *_hangup_successor(snapshot))


def _hangup_successor(snapshot: Snapshot) -> tuple[Command, ...]:
    return () if snapshot.successor is None else (Hangup(snapshot.successor.generation),)


def _settle(snapshot: Snapshot, state: ChannelState, reason: Reason, next_: Next) -> Step:
    """Let go of whatever is open or scheduled: the next generation makes late callbacks and timers void."""
    after = replace(
        snapshot,
        state=state,
        reason=reason,
        next=next_,
        generation=rotation.next_generation(snapshot),
        attempt=0,
        no_sooner=False,
        successor=None,
        rotation_failures=0,
    )
    return after, _hangup(snapshot)


def _used(snapshot: Snapshot, event: Event, policy: Policy) -> Step:
    if snapshot.state is not S.IDLE:
        return snapshot, ()
    return _dial_now(snapshot, Reason("used", "opening: it is wanted"))


def _linger_elapsed(snapshot: Snapshot, event: Event, policy: Policy) -> Step:
    if snapshot.state in SETTLED or snapshot.state is S.IDLE:
        return snapshot, ()
    if snapshot.no_sooner:
        return snapshot, ()  # waited out, lest the next use dial sooner than the server asked for
    return _close_unused(snapshot)


def _close_unused(snapshot: Snapshot) -> Step:
    return _settle(_forgiven(snapshot), S.IDLE, Reason("unused", "nobody uses it"), Next("use"))


def _start(snapshot: Snapshot, event: Event, policy: Policy) -> Step:
    if snapshot.state in HOLDS_CONNECTION:
        return snapshot, ()
    return _dial_now(snapshot, Reason("started", "started by hand"))


def _stop(snapshot: Snapshot, event: Event, policy: Policy) -> Step:
    if snapshot.state is S.STOPPED:
        return snapshot, ()
    return _settle(_forgiven(snapshot), S.STOPPED, Reason("by_hand", "stopped by hand"), Next("start"))


def _pause(snapshot: Snapshot, event: Event, policy: Policy) -> Step:
    if snapshot.state in SETTLED:
        return snapshot, ()
    return _settle(_forgiven(snapshot), S.PAUSED, Reason("by_hand", "paused by hand"), Next("resume"))


def _resume(snapshot: Snapshot, event: ResumeRequested, policy: Policy) -> Step:
    if snapshot.state is not S.PAUSED:
        return snapshot, ()
    if event.wanted:
        return _dial_now(snapshot, Reason("resumed", "resumed by hand"))
    return _settle(snapshot, S.IDLE, Reason("unused", "resumed by hand, and nobody uses it"), Next("use"))


def _redial(snapshot: Snapshot, event: RedialRequested, policy: Policy) -> Step:
    if snapshot.state in SETTLED or snapshot.state is S.IDLE:
        return snapshot, ()
    return _dial_now(snapshot, Reason("redial", event.text))


def _replace(snapshot: Snapshot, event: ReplaceRequested, policy: Policy) -> Step:
    if snapshot.state is not S.READY:
        return _redial(snapshot, RedialRequested(event.text), policy)
    leave = _hangup_successor(snapshot)  # it was dialled for what no longer holds
    after, commands = rotation.begin(replace(snapshot, successor=None))
    return after, (*leave, *commands)


def _progressed(snapshot: Snapshot, event: AttemptProgressed, policy: Policy) -> Step:
    if snapshot.state is not S.CONNECTING:
        return snapshot, ()
    return replace(snapshot, reason=Reason(event.code, event.text)), ()


def _opened(snapshot: Snapshot, event: Opened, policy: Policy) -> Step:
    if snapshot.state is S.READY:  # its successor alone may be handshaking in its place
        raise IllegalTransition(f"{snapshot.state} -> {S.HANDSHAKING} on Opened")
    reason = Reason("upgraded", "connected; the session is being opened")
    return replace(snapshot, state=S.HANDSHAKING, reason=reason, next=Next("none")), ()


def _handshake_done(snapshot: Snapshot, event: HandshakeDone, policy: Policy) -> Step:
    return replace(snapshot, state=S.READY, reason=rotation.READY, next=Next("none")), ()


def _ended(snapshot: Snapshot, event: AttemptEnded, policy: Policy) -> Step:
    if snapshot.state not in HOLDS_CONNECTION:
        return snapshot, ()  # the same end, reported twice
    failure = event.failure
    if event.healthy_for >= policy.backoff.reset_after:
        snapshot = replace(_forgiven(snapshot), attempt=0)
    violations = snapshot.policy_violations + 1 if failure.code == POLICY_VIOLATION else 0
    snapshot = replace(snapshot, failure=failure, policy_violations=violations)
    verdict = decide(failure, policy.verdicts, token_used=event.token_used, policy_violations=violations)
    reason = Reason(reason_code(failure), failure.text)
    leave = _hangup_successor(snapshot)
    over = replace(snapshot, next=Next("start"), no_sooner=False, successor=None)
    if verdict.action is Action.STOP:
        return replace(over, state=S.FAILED, reason=reason), leave
    if verdict.action is Action.DONE:
        return replace(over, state=S.DONE, reason=reason), leave
    forget: tuple[Command, ...] = (ForgetTokens(snapshot.generation),) if verdict.action is Action.REAUTH else ()
    no_sooner = max(verdict.no_sooner, failure.retry_after or 0.0)
    if snapshot.successor is not None and not no_sooner:
        after, commands = rotation.take_over(snapshot, snapshot.successor)
        return after, (*forget, *commands)
    if _at_once(snapshot, verdict) and failure.retry_after is None:
        again = _dial(_remember(snapshot, verdict), Reason(reason.code, failure.text), attempt=snapshot.attempt + 1)
        return again, (*forget, Dial(again.generation))
    if gives_up(policy.backoff, snapshot.attempt, event.without_health):
        text = f"gave up after {snapshot.attempt} attempts in {format_duration(event.without_health)}: {failure.text}"
        return replace(over, state=S.FAILED, reason=Reason("gave_up", text)), (*leave, *forget)
    waiting = replace(over, state=S.WAITING, reason=reason, next=Next("retry"), no_sooner=no_sooner > 0)
    return waiting, (*leave, *forget, ScheduleRetry(snapshot.generation, max(1, snapshot.attempt), no_sooner))


def _at_once(snapshot: Snapshot, verdict: Verdict) -> bool:
    """Whether a verdict's immediate reconnection is still to be had; each is, once per health."""
    match verdict.action:
        case Action.REAUTH:
            return not snapshot.reauthed
        case Action.RECONNECT | Action.REPLACE | Action.FRESH:
            return not snapshot.reconnected
        case _:
            return False


def _remember(snapshot: Snapshot, verdict: Verdict) -> Snapshot:
    if verdict.action is Action.REAUTH:
        return replace(snapshot, reauthed=True)
    return replace(snapshot, reconnected=True)


def reason_code(failure: Failure) -> str:
    """Give the code of the reason that a failure is: ``close:1006``, ``status:503``, ``dns``."""
    return failure.kind if failure.code is None else f"{failure.kind}:{failure.code}"


def _retry_scheduled(snapshot: Snapshot, event: RetryScheduled, policy: Policy) -> Step:
    if snapshot.state is not S.WAITING:
        return snapshot, ()
    return replace(snapshot, next=Next("retry", event.at)), ()


def _retry_due(snapshot: Snapshot, event: RetryDue, policy: Policy) -> Step:
    if snapshot.state is not S.WAITING:
        return snapshot, ()
    if not event.wanted:
        return _close_unused(snapshot)
    after = _dial(snapshot, Reason("retry", f"trying again: {snapshot.reason.text}"), attempt=snapshot.attempt + 1)
    return after, (Dial(after.generation),)


def _rotation_due(snapshot: Snapshot, event: RotationDue, policy: Policy) -> Step:
    if snapshot.state is not S.READY or snapshot.successor is not None:
        return snapshot, ()
    healthy = event.healthy_for >= policy.backoff.reset_after
    return rotation.begin(replace(_forgiven(snapshot), attempt=1) if healthy else snapshot)


_FROM_THE_NETWORK = (
    FailureKind.DNS,
    FailureKind.TCP,
    FailureKind.PROXY,
    FailureKind.TIMEOUT,
    FailureKind.KEEPALIVE,
)


def _network_lost(snapshot: Snapshot, event: Event, policy: Policy) -> Step:
    match snapshot.state:
        case S.READY:
            return snapshot, (Probe(snapshot.generation),)
        case S.WAITING if snapshot.no_sooner:
            return snapshot, ()  # waited out, lest a network that comes back cut it short
        case S.CONNECTING | S.HANDSHAKING | S.WAITING:
            made = snapshot.attempt if snapshot.state is S.WAITING else snapshot.attempt - 1
            reason = Reason("offline", "no network leads to the server")
            after, commands = _settle(snapshot, S.OFFLINE, reason, Next("network"))
            return replace(after, attempt=made), commands
        case _:
            return snapshot, ()


def _network_returned(snapshot: Snapshot, event: Event, policy: Policy) -> Step:
    match snapshot.state:
        case S.READY:
            return snapshot, (Probe(snapshot.generation),)
        case S.OFFLINE:
            pass
        case S.WAITING if not snapshot.no_sooner and snapshot.failure and snapshot.failure.kind in _FROM_THE_NETWORK:
            pass
        case _:
            return snapshot, ()
    after = _dial(snapshot, Reason("network", "the network is back"), attempt=snapshot.attempt + 1)
    return after, (Dial(after.generation),)


def _crashed(snapshot: Snapshot, event: TaskCrashed, policy: Policy) -> Step:
    return _settle(snapshot, S.FAILED, Reason("internal", event.text), Next("start"))


_HANDLERS: dict[type[Event], Callable[..., Step]] = {
    Used: _used,
    LingerElapsed: _linger_elapsed,
    StartRequested: _start,
    StopRequested: _stop,
    PauseRequested: _pause,
    ResumeRequested: _resume,
    RedialRequested: _redial,
    ReplaceRequested: _replace,
    AttemptProgressed: _progressed,
    Opened: _opened,
    HandshakeDone: _handshake_done,
    AttemptEnded: _ended,
    RetryScheduled: _retry_scheduled,
    RetryDue: _retry_due,
    RotationDue: _rotation_due,
    NetworkLost: _network_lost,
    NetworkReturned: _network_returned,
    TaskCrashed: _crashed,
}
