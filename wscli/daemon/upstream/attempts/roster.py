"""Which channel is subscribed on which connection of an upstream, and the moves from one to the next.

Once a connection is ready, its session subscribes each open channel. When a successor took its place, each channel is
subscribed there before it is unsubscribed on the old connection, so that what either brings is its own.
"""

from __future__ import annotations

from typing import Protocol

from wscli.clock import Clock
from wscli.config.plan import UpstreamPlan
from wscli.core.events import SubscriptionBegan, SubscriptionDone, SubscriptionEnded
from wscli.core.failures import Failure, FailureKind, Verdict
from wscli.core.states import ChannelState, Snapshot
from wscli.daemon.upstream.attempts.attempt import Attempt
from wscli.daemon.upstream.attempts.attempts import Attempts
from wscli.daemon.upstream.members.member import Member
from wscli.daemon.upstream.members.subscribers import Subscribers
from wscli.transport.connection import Connection

__all__ = ["Roster", "RosterOwner"]


class RosterOwner(Protocol):
    """An upstream, as its roster sees it."""

    plan: UpstreamPlan
    snapshot: Snapshot
    attempts: Attempts
    subscribers: Subscribers

    def regulate(self) -> None:
        """Pause reading while every channel that receives holds it back."""


class Roster:
    """Subscribes the channels of one upstream, on the connection that is ready."""

    __slots__ = ("_clock", "_owner")

    def __init__(self, owner: RosterOwner, clock: Clock) -> None:
        self._owner = owner
        self._clock = clock

    def carrier(self, member: Member) -> Attempt | None:
        """Give the attempt on whose connection a channel is subscribed."""
        attempts = self._owner.attempts
        if attempts.present is not None and attempts.present.members.get(member) == "subscribed":  # as a rule
            return attempts.present
        return next((one for one in attempts.open if one.members.get(member) == "subscribed"), None)

    def connection(self, member: Member) -> Connection | None:
        """Give the connection on which an open channel is subscribed, while the upstream is ready."""
        ready = member.joined and self._owner.snapshot.state is ChannelState.READY
        attempt = self.carrier(member) if ready else None
        return None if attempt is None else attempt.connection

    # what the upstream tells

    def subscribe_all(self) -> None:
        """Subscribe the open channels on the connection that is ready now; those of one that it replaced move."""
        for member in self._owner.subscribers.expected():
            self.subscribe(member)
        self._owner.attempts.close_drained()

    def subscribe(self, member: Member) -> None:
        """Subscribe an open channel, if the upstream is ready and that is not under way."""
        present = self._owner.attempts.present
        if present is None or not member.joined or self._owner.snapshot.state is not ChannelState.READY:
            return
        phase = present.members.get(member)
        if phase in ("joining", "subscribed"):
            return
        member.waits = False
        if present.session.receive is not None and self.carrier(member) is None:
            member.subscriber.feed(SubscriptionBegan())
        if phase == "leaving":
            return  # after that
        if member.trying_since is None:
            member.trying_since = self._clock.monotonic()
        present.members[member] = "joining"
        self._owner.regulate()
        present.session.join(member)

    def resubscribe(self, member: Member) -> None:
        """Unsubscribe a channel on the present connection, and subscribe it anew."""
        present = self._owner.attempts.present
        if present is not None and present.members.get(member) in ("joining", "subscribed"):
            if present.members[member] == "subscribed":
                self._ended(member, Failure(FailureKind.CLOSE, "subscribed anew", code=1000, by="us"))
            self._leave(present, member)
        self.subscribe(member)

    def leave(self, member: Member, *, closes: bool) -> None:
        """Take a channel that was closed off every connection; ``closes``: the upstream is closed as well.

        Over a connection that says bye before it is closed, the channel still receives.
        """
        for attempt in self._owner.attempts.open:
            attempt.final = closes and attempt.session.receive is not None
            self._leave(attempt, member)
        member.trying_since = member.subscribed_at = None
        self._owner.attempts.close_drained()

    def ended(self, attempt: Attempt, failure: Failure) -> None:
        """Tell the channels of a connection that it ended, or that it is closed."""
        members = dict(attempt.members)
        if attempt.final:
            attempt.members.update(dict.fromkeys(members, "leaving"))
        else:
            attempt.members.clear()
        for member, phase in members.items():
            if phase == "subscribed" and self.carrier(member) is None:
                self._ended(member, failure)

    # what the sessions tell

    def subscribed(self, attempt: Attempt, member: Member, *, resumed: bool) -> None:
        """Admit a channel: it records the gap, if there may be one, and receives from now on."""
        if attempt.members.get(member) != "joining":
            return  # acknowledged twice, or closed in the meantime
        before = self.carrier(member)
        attempt.members[member] = "subscribed"
        self._count_tokens(attempt, member)
        taken_over = attempt.taken_over and member.receives and attempt.session.receive is None
        self._owner.subscribers.admit(member, moved=before is not None or taken_over, resumed=resumed)
        if before is None:
            member.subscribed_at = self._clock.monotonic()
        member.subscriber.feed(SubscriptionDone())
        opened = self._owner.attempts.open  # the newest first
        for older in opened[opened.index(attempt) + 1 :]:
            self._leave(older, member)
        self._owner.attempts.close_drained()
        self._owner.regulate()

    def refused(self, attempt: Attempt, member: Member, verdict: Verdict | None, failure: Failure) -> None:
        """Carry out a verdict on one channel, on every connection that it is on; its neighbours go on.

        Where the connection is not shared, the verdict is the connection's.
        """
        if attempt.members.get(member) not in ("joining", "subscribed"):
            return
        if not self._owner.plan.share:
            self._count_tokens(attempt, member)
            attempt.opening.judged(verdict, failure)
            return
        was_subscribed = self.carrier(member) is not None
        del attempt.members[member]
        if attempt.superseded:  # it is on its way to the next connection
            if was_subscribed and self.carrier(member) is None:
                self._ended(member, failure)
        else:
            for other in self._owner.attempts.open:
                self._leave(other, member)
            event = self._end_of(member, verdict, failure)
            if was_subscribed:
                self._ended(member, failure)
            member.waits, member.receives = True, False
            member.subscriber.feed(event)
        self._owner.attempts.close_drained()
        self._owner.regulate()

    def unsubscribed(self, attempt: Attempt, member: Member) -> None:
        """Forget a channel on a connection; one that was opened again meanwhile is subscribed anew."""
        if attempt.members.get(member) != "leaving" or attempt.final:
            return
        del attempt.members[member]
        moved_away = member not in self._owner.subscribers.members  # to another upstream
        if attempt is self._owner.attempts.present and not moved_away:
            self.subscribe(member)
        self._owner.attempts.close_drained()

    def _leave(self, attempt: Attempt, member: Member) -> None:
        if attempt.members.get(member) in ("joining", "subscribed"):
            attempt.members[member] = "leaving"
            attempt.session.leave(member)

    def _ended(self, member: Member, failure: Failure) -> None:
        """Tell a channel that it is not subscribed any more, and show what it waits for on a ready upstream."""
        member.subscribed_at = None
        member.subscriber.ended(failure)
        present = self._owner.attempts.present
        if member.joined and present is not None and present.members.get(member) in ("joining", "leaving"):
            member.subscriber.feed(SubscriptionBegan())

    def _end_of(self, member: Member, verdict: Verdict | None, failure: Failure) -> SubscriptionEnded:
        now, reset_after = self._clock.monotonic(), self._owner.plan.backoff.reset_after
        healthy_for = 0.0 if member.subscribed_at is None else now - member.subscribed_at
        if healthy_for >= reset_after or member.trying_since is None:
            member.trying_since = now
        return SubscriptionEnded(failure, verdict, healthy_for, now - member.trying_since, bool(member.tokens))

    def _count_tokens(self, attempt: Attempt, member: Member) -> None:
        """Count the tokens of a channel's steps as the connection's, where it is the channel's alone."""
        if not self._owner.plan.share:
            attempt.record.tokens.update(member.tokens)
