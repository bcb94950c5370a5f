"""The moves that the steps of an upstream's machine consist of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from wscli.core.backoff import BackoffPolicy, LookAgain
from wscli.core.commands import DialNext, ForgetSession, ForgetTokens, Hangup, UpstreamCommand
from wscli.core.failures import Action
from wscli.core.states import HOLDS_CONNECTION, ChannelState, InARow, Next, Reason, Snapshot
from wscli.core.verdicts import VerdictTable

__all__ = [
    "Move",
    "Policy",
    "become",
    "close_unused",
    "dial_next",
    "dial_now",
    "forget",
    "forgive",
    "hang_up_all",
    "hang_up_successor",
    "next_generation",
    "close_all",
]

Move = tuple[Snapshot, tuple[UpstreamCommand, ...]]
"""The next snapshot, and what to do."""


class Policy(NamedTuple):
    """The part of the configuration that a step depends on; it may change between two steps."""

    backoff: BackoffPolicy
    verdicts: Sequence[VerdictTable] = ()
    look_again: LookAgain | None = None
    rotates: bool = True
    """Whether a second connection may be opened beside a ready one."""


def next_generation(snapshot: Snapshot) -> int:
    """Give a number that no attempt has had, failed successors included."""
    return max(snapshot.generation, snapshot.last_successor) + 1


def become(
    snapshot: Snapshot, state: ChannelState, reason: Reason, then: Next, generation: int, attempt: int
) -> Snapshot:
    """Begin a generation, without a successor."""
    return replace(
        snapshot, state=state, reason=reason, next=then, generation=generation, attempt=attempt, no_sooner=False,
        successor=None, rotation_failures=0,
    )  # fmt: skip


def forget(generation: int, action: Action) -> tuple[UpstreamCommand, ...]:
    """Forget what the action says that attempt ``generation`` used."""
    forgets = {Action.REAUTH: ForgetTokens, Action.FRESH: ForgetSession}
    return (forgets[action](generation),) if action in forgets else ()


def dial_next(snapshot: Snapshot, reason: Reason, *, attempt: int, by_hand: bool = False) -> Move:
    """Start another attempt; a connection that is open is hung up by the caller."""
    after = become(snapshot, ChannelState.CONNECTING, reason, Next("dial"), next_generation(snapshot), attempt)
    return after, (DialNext(after.generation, by_hand),)


def dial_now(snapshot: Snapshot, reason: Reason) -> Move:
    """Forget earlier failures, hang up, and dial: a person asked for it."""
    after, commands = dial_next(forgive(snapshot), reason, attempt=1, by_hand=True)
    return after, (*hang_up_all(snapshot), *commands)


def forgive(snapshot: Snapshot) -> Snapshot:
    """Forget earlier failures."""
    return replace(snapshot, attempt=0, failure=None, in_a_row=InARow(), reconnected=False, reauthed=False)


def hang_up_all(snapshot: Snapshot) -> tuple[UpstreamCommand, ...]:
    """Close what is open or being opened, the successor included."""
    held = (Hangup(snapshot.generation),) if snapshot.state in HOLDS_CONNECTION else ()
    return (*held, *hang_up_successor(snapshot))


def hang_up_successor(snapshot: Snapshot) -> tuple[UpstreamCommand, ...]:
    """Close the successor, if there is one."""
    return () if snapshot.successor is None else (Hangup(snapshot.successor.generation),)


def close_all(snapshot: Snapshot, state: ChannelState, reason: Reason, then: Next) -> Move:
    """Close everything; late callbacks and timers are of an older generation, and earlier failures still count."""
    after = become(snapshot, state, reason, then, next_generation(snapshot), snapshot.failures)
    return after, hang_up_all(snapshot)


def close_unused(snapshot: Snapshot) -> Move:
    """Close everything until the next use."""
    return close_all(snapshot, ChannelState.IDLE, Reason("unused", "not in use"), Next("use"))
