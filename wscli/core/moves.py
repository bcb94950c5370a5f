"""What the machines go by, what a verdict leads to, and the moves that the steps of an upstream's consist of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from wscli.core.backoff import BackoffPolicy, LookAgain, gives_up, look_after
from wscli.core.commands import DialNext, ForgetSession, ForgetTokens, Hangup, UpstreamCommand
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.core.states import HOLDS_CONNECTION, ChannelState, InARow, Next, Reason, Snapshot
from wscli.core.verdicts import VerdictTable
from wscli.values import format_duration

__all__ = [
    "Conclusion", "Move", "Policy", "Tried", "become", "close_all", "close_unused", "conclude", "dial_next", "dial_now",
    "forget", "forgive", "hang_up_all", "hang_up_successor", "next_generation", "reason_code",
]  # fmt: skip

S = ChannelState

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
    after = become(snapshot, S.CONNECTING, reason, Next("dial"), next_generation(snapshot), attempt)
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
    return close_all(snapshot, S.IDLE, Reason("unused", "not in use"), Next("use"))


class Tried(Protocol):
    """What was tried since the last health: a ``Snapshot`` or an ``OwnState``."""

    @property
    def attempt(self) -> int:
        """Number of tries, the present one included."""

    @property
    def reconnected(self) -> bool:
        """Whether it was tried again at once."""

    @property
    def reauthed(self) -> bool:
        """Whether tokens were dropped."""


class Conclusion(NamedTuple):
    """What follows; ``connecting``: another try at once, after which ``reconnected`` and ``reauthed`` are as given."""

    state: ChannelState
    reason: Reason
    no_sooner: float = 0.0
    """Least seconds to wait."""
    asked_for: bool = False
    """Whether the server or the verdict asked for that wait."""
    look: float | None = None
    """Seconds until what failed is tried again; None: never."""
    reconnected: bool = False
    reauthed: bool = False


def reason_code(failure: Failure) -> str:
    """Give the code of a failure as a reason: ``close:1006``, ``status:503``, ``session:hello``, ``dns``."""
    detail = failure.moment if failure.kind is FailureKind.SESSION else failure.code
    return f"{failure.kind}:{detail}" if detail else failure.kind


def conclude(verdict: Verdict, failure: Failure, tried: Tried, without_health: float, policy: Policy) -> Conclusion:
    """Give what a verdict leads to; ``without_health`` is in seconds."""
    reason = Reason(reason_code(failure), failure.text)
    if verdict.action is Action.DONE:
        return Conclusion(S.DONE, reason)
    if verdict.action is Action.STOP:
        return Conclusion(S.FAILED, reason, look=_look(tried, failure, policy, mends=verdict.mends))
    reauth = verdict.action is Action.REAUTH
    waits = verdict.action is Action.RETRY or (tried.reauthed if reauth else tried.reconnected)
    if not waits and failure.retry_after is None:  # at once, but only once per health
        once = (tried.reconnected or not reauth, tried.reauthed or reauth)
        return Conclusion(S.CONNECTING, reason, reconnected=once[0], reauthed=once[1])
    if gives_up(policy.backoff, tried.attempt, without_health):
        text = f"gave up after {tried.attempt} attempts in {format_duration(without_health)}: {failure.text}"
        return Conclusion(S.FAILED, Reason("gave_up", text), look=_look(tried, failure, policy, mends=False))
    no_sooner = max(verdict.no_sooner, failure.retry_after or 0.0)
    # the broker holds back a token source by itself
    asked_for = verdict.no_sooner if failure.kind is FailureKind.TOKEN else no_sooner
    return Conclusion(S.WAITING, reason, no_sooner, asked_for=asked_for > 0)


def _look(tried: Tried, failure: Failure, policy: Policy, *, mends: bool) -> float | None:
    """Look again later where the cause may mend itself or the file says so.

    Refused credentials are not tried more often than ``look_again`` says: servers count such attempts.
    """
    look = policy.look_again
    if look is None or not (mends or look.declared):
        return None
    rarely = not mends or failure.refuses_credentials
    return look.every if rarely else look_after(policy.backoff, max(1, tried.attempt), look.every)
