"""What happens to the attempts of an upstream, told to its machine and to its channels."""

from __future__ import annotations

from typing import Protocol

from wscli.config.plan import UpstreamPlan
from wscli.core import events
from wscli.core.events import UpstreamEvent
from wscli.core.failures import Failure, FailureKind, Verdict
from wscli.core.states import Snapshot
from wscli.daemon.upstream.attempts.attempt import Attempt
from wscli.daemon.upstream.attempts.attempts import Attempts
from wscli.daemon.upstream.clocks import HealthClock
from wscli.daemon.upstream.members.member import ConnectionHook, Member
from wscli.daemon.upstream.members.subscribers import Subscribers

__all__ = ["AttemptReports", "Carrier", "ReportedUpstream"]


class Carrier(Protocol):
    """What is told of the channels on a connection."""

    def subscribed(self, attempt: Attempt, member: Member, *, resumed: bool) -> None:
        """The channel is subscribed."""

    def refused(self, attempt: Attempt, member: Member, verdict: Verdict | None, failure: Failure) -> None:
        """The channel's subscription was refused, or ended."""

    def unsubscribed(self, attempt: Attempt, member: Member) -> None:
        """The channel is not on the connection any more."""

    def ended(self, attempt: Attempt, failure: Failure) -> None:
        """The connection ended."""


class ReportedUpstream(Protocol):
    """An upstream, as its attempts see it."""

    plan: UpstreamPlan
    snapshot: Snapshot
    attempts: Attempts
    subscribers: Subscribers
    health: HealthClock

    @property
    def roster(self) -> Carrier:
        """What is told of the channels."""

    def feed(self, event: UpstreamEvent) -> None:
        """Apply an event."""


class AttemptReports:
    """Makes events of what happens to the attempts of one upstream."""

    __slots__ = ("upstream",)

    def __init__(self, upstream: ReportedUpstream) -> None:
        self.upstream = upstream

    def progressed(self, attempt: Attempt, code: str, text: str) -> None:
        """Show the step in ``status``."""
        self.upstream.feed(events.AttemptProgressed(attempt.generation, code, text))

    def received(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Pass on messages of a connection without a session."""
        for receive in self.upstream.subscribers.receivers:
            receive(payloads, kinds)

    def ended(self, attempt: Attempt, failure: Failure) -> None:
        """Report the end, with what the verdict depends on; one that was superseded ended for its channels alone."""
        upstream = self.upstream
        if attempt.superseded:
            upstream.roster.ended(attempt, failure)
            upstream.attempts.close_drained()
            return
        was_present = attempt is upstream.attempts.present
        upstream.attempts.discard(attempt)
        back_to = upstream.attempts.fall_back() if was_present else None
        upstream.roster.ended(attempt, failure)
        if back_to is not None:
            upstream.feed(events.FellBack(attempt.generation, back_to, failure))
            return
        health = upstream.health.judged(attempt.ready_at, upstream.plan.backoff.reset_after)
        token = upstream.attempts.newest_token(attempt.generation)
        has_successor = upstream.snapshot.successor is not None
        if has_successor and attempt.ready_at is not None and failure.kind is FailureKind.CLOSE:
            upstream.health.hand_over()
        upstream.feed(events.AttemptEnded(attempt.generation, failure, *health, token, attempt.sent))

    def needs_pong(self, attempt: Attempt) -> bool:
        """Whether it is a successor: a server may accept a connection and close it at once."""
        return attempt is self.upstream.attempts.successor and self.upstream.plan.keepalive.ping is not None

    def ponged(self, attempt: Attempt, rtt: float) -> None:
        """Tell the channels, and end a doubt about the open connection."""
        self.upstream.subscribers.measured(rtt)
        if self.upstream.snapshot.probing and attempt is self.upstream.attempts.present:
            self.upstream.feed(events.PongReceived(attempt.generation))

    def judged(self, attempt: Attempt, verdict: Verdict, failure: Failure) -> None:
        """Carry out a verdict on an attempt that has not ended."""
        attempt.record.failure = failure
        times = self.upstream.health.judged(attempt.ready_at, self.upstream.plan.backoff.reset_after)
        self.upstream.feed(events.VerdictGiven(attempt.generation, verdict, failure, *times))

    def preparations(self) -> list[ConnectionHook]:
        """Give what the channels do on a new connection before it is ready."""
        return self.upstream.subscribers.preparations()
