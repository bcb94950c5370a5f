"""The part of the machine that carries out a verdict: on an attempt that ended, or on one that is still open."""

from __future__ import annotations

from dataclasses import replace

from wscli.core import rotation
from wscli.core.backoff import gives_up, look_after
from wscli.core.commands import Hangup, ScheduleLook, ScheduleRetry, UpstreamCommand
from wscli.core.events import AttemptEnded, VerdictGiven
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.core.moves import Move, Policy, dial_next, forget, forgive, hang_up_successor
from wscli.core.states import HOLDS_CONNECTION, ChannelState, InARow, Next, Reason, Snapshot, Successor
from wscli.core.verdicts import BY_THE_SERVER, decide, stops_in_a_row
from wscli.values import format_duration

__all__ = ["judge_end", "judge_open", "reason_code"]

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
    if event.verdict.action is Action.REPLACE and snapshot.state is S.READY:
        return _replace(snapshot, event)
    snapshot = replace(snapshot, failure=event.failure)
    leave = (Hangup(snapshot.generation),)
    return _conclude(snapshot, event.verdict, event.failure, leave, event.without_health, policy)


def reason_code(failure: Failure) -> str:
    """Give the code of a failure as a reason: ``close:1006``, ``status:503``, ``session:hello``, ``dns``."""
    detail = failure.moment if failure.kind is FailureKind.SESSION else failure.code
    return f"{failure.kind}:{detail}" if detail else failure.kind


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
    reason = Reason(reason_code(failure), failure.text)
    over = replace(snapshot, next=Next("start"), no_sooner=False, successor=None)
    leave_both = (*leave, *hang_up_successor(snapshot))
    if verdict.action is Action.DONE:
        return replace(over, state=S.DONE, reason=reason), leave_both
    if verdict.action is Action.STOP:
        failed, looks = _fail(over, reason, policy, mends=verdict.mends)
        return failed, (*leave_both, *looks)
    forgotten = forget(snapshot.generation, verdict.action)
    no_sooner = max(verdict.no_sooner, failure.retry_after or 0.0)
    if snapshot.successor is not None and not no_sooner:
        after, commands = rotation.take_over(snapshot, snapshot.successor, snapshot.attempt + 1)
        return after, (*forgotten, *leave, *commands)
    reauth = verdict.action is Action.REAUTH
    waits = verdict.action is Action.RETRY or (snapshot.reauthed if reauth else snapshot.reconnected)
    if not waits and failure.retry_after is None:  # at once, but only once per health
        spent = replace(snapshot, reauthed=True) if reauth else replace(snapshot, reconnected=True)
        after, commands = dial_next(spent, reason, attempt=snapshot.attempt + 1)
        return after, (*forgotten, *leave_both, *commands)
    if gives_up(policy.backoff, snapshot.attempt, without_health):
        text = f"gave up after {snapshot.attempt} attempts in {format_duration(without_health)}: {failure.text}"
        failed, looks = _fail(over, Reason("gave_up", text), policy, mends=False)
        return failed, (*forgotten, *leave_both, *looks)
    # the broker holds back a token source by itself
    asked_for = verdict.no_sooner if failure.kind is FailureKind.TOKEN else no_sooner
    waiting = replace(over, state=S.WAITING, reason=reason, next=Next("retry"), no_sooner=asked_for > 0)
    again = ScheduleRetry(snapshot.generation, max(1, snapshot.attempt), no_sooner)
    return waiting, (*forgotten, *leave_both, again)


def _fail(over: Snapshot, reason: Reason, policy: Policy, *, mends: bool) -> Move:
    """Fail, and look again later where the cause may mend itself or the file says so.

    Refused credentials are not tried more often than ``look_again`` says: servers count such attempts.
    """
    failed, look = replace(over, state=S.FAILED, reason=reason), policy.look_again
    if look is None or not (mends or look.declared):
        return failed, ()
    rarely = not mends or (over.failure is not None and over.failure.refuses_credentials)
    after = look.every if rarely else look_after(policy.backoff, max(1, over.attempt), look.every)
    return replace(failed, next=Next("retry")), (ScheduleLook(over.generation, after),)
