"""What a verdict leads to, of a connection or of one channel's subscription: a new try, a wait, or an end."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from wscli.core.backoff import gives_up, look_after
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.core.moves import Policy
from wscli.core.states import ChannelState, Reason
from wscli.values import format_duration

__all__ = ["Outcome", "Tried", "conclude", "reason_code"]

S = ChannelState


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


class Outcome(NamedTuple):
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


def conclude(verdict: Verdict, failure: Failure, tried: Tried, without_health: float, policy: Policy) -> Outcome:
    """Give what a verdict leads to; ``without_health`` is in seconds."""
    reason = Reason(reason_code(failure), failure.text)
    if verdict.action is Action.DONE:
        return Outcome(S.DONE, reason)
    if verdict.action is Action.STOP:
        return Outcome(S.FAILED, reason, look=_look(tried, failure, policy, mends=verdict.mends))
    reauth = verdict.action is Action.REAUTH
    waits = verdict.action is Action.RETRY or (tried.reauthed if reauth else tried.reconnected)
    if not waits and failure.retry_after is None:  # at once, but only once per health
        once = (tried.reconnected or not reauth, tried.reauthed or reauth)
        return Outcome(S.CONNECTING, reason, reconnected=once[0], reauthed=once[1])
    if gives_up(policy.backoff, tried.attempt, without_health):
        text = f"gave up after {tried.attempt} attempts in {format_duration(without_health)}: {failure.text}"
        return Outcome(S.FAILED, Reason("gave_up", text), look=_look(tried, failure, policy, mends=False))
    no_sooner = max(verdict.no_sooner, failure.retry_after or 0.0)
    # the broker holds back a token source by itself
    asked_for = verdict.no_sooner if failure.kind is FailureKind.TOKEN else no_sooner
    return Outcome(S.WAITING, reason, no_sooner, asked_for=asked_for > 0)


def _look(tried: Tried, failure: Failure, policy: Policy, *, mends: bool) -> float | None:
    """Look again later where the cause may mend itself or the file says so.

    Refused credentials are not tried more often than ``look_again`` says: servers count such attempts.
    """
    look = policy.look_again
    if look is None or not (mends or look.declared):
        return None
    rarely = not mends or failure.refuses_credentials
    return look.every if rarely else look_after(policy.backoff, max(1, tried.attempt), look.every)
