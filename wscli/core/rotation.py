"""The part of the machine that replaces a ready connection without closing it first.

The ready connection is left alone until its successor is ready. At most one successor is under way, and a connection
whose successor is refused for good is rotated no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wscli.core.commands import Command, DialSuccessor, ForgetTokens, ScheduleRotation, Succeed
from wscli.core.events import AttemptEnded, AttemptProgressed, Event, HandshakeDone, Opened
from wscli.core.snapshot import Next, Reason, Snapshot, Successor
from wscli.core.states import ChannelState
from wscli.core.verdicts import Action, VerdictTable, decide

__all__ = ["begin", "next_generation", "of_successor", "take_over"]

READY = Reason("ready", "connected and ready")

Step = tuple[Snapshot, tuple[Command, ...]]


def next_generation(snapshot: Snapshot) -> int:
    """Give a number that no attempt has had, successors that failed included."""
    return max(snapshot.generation, snapshot.last_successor) + 1


def begin(snapshot: Snapshot) -> Step:
    """Dial a successor of the ready connection."""
    successor = Successor(
        next_generation(snapshot), ChannelState.CONNECTING, Reason("rotation", "connecting in place of the last one")
    )
    after = replace(_rotating(snapshot, successor), last_successor=successor.generation)
    return after, (DialSuccessor(successor.generation),)


def of_successor(snapshot: Snapshot, successor: Successor, event: Event, verdicts: Sequence[VerdictTable]) -> Step:
    """Take an event of the successor."""
    match event:
        case AttemptProgressed():
            return _rotating(snapshot, successor._replace(reason=Reason(event.code, event.text))), ()
        case Opened():
            reason = Reason("upgraded", "connected; the session is being opened")
            return _rotating(snapshot, successor._replace(state=ChannelState.HANDSHAKING, reason=reason)), ()
        case HandshakeDone():
            after = replace(
                snapshot, generation=successor.generation, reason=READY, successor=None, rotation_failures=0
            )
            return after, (Succeed(successor.generation),)
        case AttemptEnded():
            return _failed(snapshot, successor, event, verdicts)
        case _:
            return snapshot, ()


def take_over(snapshot: Snapshot, successor: Successor) -> Step:
    """Make the successor the channel's one attempt: the connection that it was to follow has ended."""
    after = replace(
        snapshot,
        state=successor.state,
        reason=successor.reason,
        next=Next("dial" if successor.state is ChannelState.CONNECTING else "none"),
        generation=successor.generation,
        attempt=snapshot.attempt + 1,
        no_sooner=False,
        successor=None,
        rotation_failures=0,
    )
    return after, (Succeed(successor.generation),)


def _rotating(snapshot: Snapshot, successor: Successor) -> Snapshot:
    text = f"connected and ready; rotating, the next connection: {successor.reason.text}"
    return replace(snapshot, successor=successor, reason=Reason("rotating", text))


def _failed(snapshot: Snapshot, successor: Successor, event: AttemptEnded, verdicts: Sequence[VerdictTable]) -> Step:
    """Leave the ready connection as it is, and rotate it later, unless the verdict is not to come again."""
    failure = event.failure
    verdict = decide(failure, verdicts, token_used=event.token_used, policy_violations=0)
    failures = snapshot.rotation_failures + 1
    after = replace(snapshot, successor=None, rotation_failures=failures)
    if verdict.action in (Action.STOP, Action.DONE):
        text = f"connected and ready; not to be rotated, the next connection was refused: {failure.text}"
        return replace(after, reason=Reason("ready", text)), ()
    text = f"connected and ready; to be rotated again, the next connection failed: {failure.text}"
    forget = (ForgetTokens(successor.generation),) if verdict.action is Action.REAUTH else ()
    no_sooner = max(verdict.no_sooner, failure.retry_after or 0.0)
    again = ScheduleRotation(snapshot.generation, failures, no_sooner)
    return replace(after, reason=Reason("ready", text)), (*forget, again)
