"""The part of the machine that carries out a verdict: on an attempt that ended, or on one that is still open."""

from __future__ import annotations

from dataclasses import replace

from wscli.core import rotation
from wscli.core.commands import Hangup, ScheduleLook, ScheduleRetry, UpstreamCommand
from wscli.core.events import AttemptEnded, VerdictGiven
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.core.moves import Move, Policy, conclude, dial_next, forget, forgive, hang_up_successor
from wscli.core.states import HOLDS_CONNECTION, ChannelState, InARow, Next, Snapshot, Successor
from wscli.core.verdicts import BY_THE_SERVER, decide, stops_in_a_row

__all__ = ["judge_end", "judge_open"]

S = ChannelState


def judge_end(snapshot: Snapshot, event: AttemptEnded, policy: Policy) -> Move:
    """Judge an attempt that ended."""
    if snapshot.state not in HOLDS_CONNECTION:
        return snapshot, ()  # the same end, reported twice
    failure = event.failure
    snapshot = _after_health(snapshot, event, policy)
    if snapshot.successor is not None and failure.kind is FailureKind.CLOSE and failure.retry_after is None:
        verdict = decide(failure, policy.verdicts, token_used=event.token > 0)
        if not verdict.no_sooner:
            return _hand_over(snapshot, snapshot.successor, verdict)
    row = _counted(snapshot.in_a_row, event)
    snapshot = replace(snapshot, failure=failure, in_a_row=row)
    verdict = decide(
        failure,
        policy.verdicts,
        token_used=event.token > 0,
        token_ends=row.token_ends,
        reauthed=snapshot.reauthed,
        refusals=row.refusals,
    )
    return _conclude(snapshot, verdict, failure, (), event.without_health, policy)


def judge_open(snapshot: Snapshot, event: VerdictGiven, policy: Policy) -> Move:
    """Carry out a verdict on an attempt that did not end by itself."""
    if snapshot.state not in HOLDS_CONNECTION:
        return snapshot, ()  # it ended in the meantime
    snapshot = _after_health(snapshot, event, policy)
    if event.verdict.action is Action.REPLACE and snapshot.state is S.READY and policy.rotates:
        return _replace(snapshot, event)
    snapshot = replace(snapshot, failure=event.failure)
    leave = (Hangup(snapshot.generation),)
    return _conclude(snapshot, event.verdict, event.failure, leave, event.without_health, policy)


def _counted(row: InARow, event: AttemptEnded) -> InARow:
    """Count an end; one after a program's message does not count as a refusal: the message may be its cause."""
    failure = event.failure
    refusals = row.refusals + 1 if stops_in_a_row(failure) and not event.sent else 0
    if event.token != row.token:
        row = InARow(token=event.token)
    # with Retry-After the server says that the token is not the reason
    suspect = event.token > 0 and failure.kind in BY_THE_SERVER and failure.retry_after is None
    return row._replace(refusals=refusals, token_ends=row.token_ends + suspect)


def _after_health(snapshot: Snapshot, event: AttemptEnded | VerdictGiven, policy: Policy) -> Snapshot:
    healthy = event.healthy_for >= policy.backoff.reset_after
    return forgive(snapshot) if healthy else snapshot


def _replace(snapshot: Snapshot, event: VerdictGiven) -> Move:
    """Dial a successor of the ready connection: at once, and after a wait where that was done since the last health."""
    if snapshot.successor is not None:
        return snapshot, ()
    if snapshot.reconnected or event.failure.retry_after is not None:
        text = f"connected and ready; rotates later: {event.failure.text}"
        return rotation.rotate_later(snapshot, text, event.failure.retry_after or 0.0)
    return rotation.dial_successor(replace(snapshot, reconnected=True))


def _hand_over(snapshot: Snapshot, successor: Successor, verdict: Verdict) -> Move:
    """Go on with the successor, which is judged by itself: a server that allows one connection closed the old one."""
    # the old connection has not failed
    after, commands = rotation.take_over(snapshot, successor, max(1, snapshot.attempt))
    return after, (*forget(snapshot.generation, verdict.action), *commands)


def _conclude(
    snapshot: Snapshot,
    verdict: Verdict,
    failure: Failure,
    leave: tuple[UpstreamCommand, ...],
    without_health: float,
    policy: Policy,
) -> Move:
    """Carry out a verdict; ``leave`` closes the connection where it is still open."""
    forgotten = forget(snapshot.generation, verdict.action)
    asks_to_wait = verdict.no_sooner or failure.retry_after
    if snapshot.successor is not None and verdict.action not in (Action.DONE, Action.STOP) and not asks_to_wait:
        after, commands = rotation.take_over(snapshot, snapshot.successor, snapshot.attempt + 1)
        return after, (*forgotten, *leave, *commands)
    outcome = conclude(verdict, failure, snapshot, without_health, policy)
    over = replace(
        snapshot, state=outcome.state, reason=outcome.reason, next=Next("start"), no_sooner=False, successor=None
    )
    ends = (*forgotten, *leave, *hang_up_successor(snapshot))
    match outcome.state:
        case S.CONNECTING:
            spent = replace(snapshot, reconnected=outcome.reconnected, reauthed=outcome.reauthed)
            after, commands = dial_next(spent, outcome.reason, attempt=snapshot.attempt + 1)
            return after, (*ends, *commands)
        case S.WAITING:
            again = ScheduleRetry(snapshot.generation, max(1, snapshot.attempt), outcome.no_sooner)
            return replace(over, next=Next("retry"), no_sooner=outcome.asked_for), (*ends, again)
        case S.FAILED if outcome.look is not None:
            return replace(over, next=Next("retry")), (*ends, ScheduleLook(over.generation, outcome.look))
        case _:
            return over, ends
