"""The part of the machine that replaces a ready connection without closing it first.

The ready connection stays as it is until its successor is ready. There is at most one successor at a time, and a
connection whose successor was refused for good is not rotated again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wscli.core import events as e
from wscli.core.commands import DialSuccessor, Hangup, ScheduleRotation, Succeed
from wscli.core.failures import Action, Failure, Verdict
from wscli.core.moves import Move, become, forget, hang_up_successor, next_generation
from wscli.core.states import ChannelState, Next, Reason, Snapshot, Successor
from wscli.core.verdicts import VerdictTable, decide

__all__ = ["READY", "UPGRADED", "dial_successor", "go_back", "rotate_later", "step_successor", "take_over"]

UPGRADED = Reason("upgraded", "connected; the session is being opened")
READY = Reason("ready", "connected and ready")


def dial_successor(snapshot: Snapshot) -> Move:
    """Dial a successor of the ready connection."""
    successor = Successor(
        next_generation(snapshot), ChannelState.CONNECTING, Reason("rotation", "connecting in place of the last one")
    )
    after = replace(_rotating(snapshot, successor), last_successor=successor.generation)
    return after, (DialSuccessor(successor.generation),)


def step_successor(
    snapshot: Snapshot, successor: Successor, event: e.UpstreamEvent, verdicts: Sequence[VerdictTable]
) -> Move:
    """Apply an event of the successor."""
    match event:
        case e.AttemptProgressed():
            return _rotating(snapshot, successor._replace(reason=Reason(event.code, event.text))), ()
        case e.Opened():
            return _rotating(snapshot, successor._replace(state=ChannelState.HANDSHAKING, reason=UPGRADED)), ()
        case e.HandshakeDone():
            after = replace(
                snapshot, generation=successor.generation, reason=READY, successor=None, rotation_failures=0
            )
            return after, (Succeed(successor.generation),)
        case e.AttemptEnded():
            verdict = decide(event.failure, verdicts, token_used=event.token > 0)
            return _failed(snapshot, successor, verdict, event.failure)
        case e.VerdictGiven():
            after, commands = _failed(snapshot, successor, event.verdict, event.failure)
            return after, (*commands, Hangup(successor.generation))
        case _:
            return snapshot, ()


def take_over(snapshot: Snapshot, successor: Successor, attempt: int) -> Move:
    """Make the successor the only attempt, and the ``attempt``-th in a row: the ready connection has ended."""
    then = Next("dial" if successor.state is ChannelState.CONNECTING else "none")
    after = become(snapshot, successor.state, successor.reason, then, successor.generation, attempt)
    return after, (Succeed(successor.generation),)


def rotate_later(snapshot: Snapshot, text: str, no_sooner: float) -> Move:
    """Keep the ready connection, and dial a successor after a wait."""
    failures = snapshot.rotation_failures + 1
    after = replace(snapshot, successor=None, rotation_failures=failures, reason=Reason("ready", text))
    return after, (ScheduleRotation(snapshot.generation, failures, no_sooner),)


def go_back(snapshot: Snapshot, generation: int, failure: Failure) -> Move:
    """Go on with the connection before, which still carries channels, and rotate it later: the next one ended."""
    text = f"connected and ready; rotates again later, the next connection ended: {failure.text}"
    hang_up = hang_up_successor(snapshot)
    after, commands = rotate_later(replace(snapshot, generation=generation), text, 0.0)
    return after, (*hang_up, *commands)


def _rotating(snapshot: Snapshot, successor: Successor) -> Snapshot:
    text = f"connected and ready; rotating, the next connection: {successor.reason.text}"
    return replace(snapshot, successor=successor, reason=Reason("rotating", text))


def _failed(snapshot: Snapshot, successor: Successor, verdict: Verdict, failure: Failure) -> Move:
    """Keep the ready connection, and rotate it later unless the verdict is final."""
    if verdict.action in (Action.STOP, Action.DONE):
        text = f"connected and ready; rotates no more, the next connection was refused: {failure.text}"
        failures = snapshot.rotation_failures + 1
        return replace(snapshot, successor=None, rotation_failures=failures, reason=Reason("ready", text)), ()
    text = f"connected and ready; rotates again later, the next connection failed: {failure.text}"
    after, commands = rotate_later(snapshot, text, max(verdict.no_sooner, failure.retry_after or 0.0))
    return after, (*forget(successor.generation, verdict.action), *commands)
