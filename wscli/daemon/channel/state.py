"""A channel's state as it changes: its own, or its upstream's while it is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from shlex import quote
from typing import Protocol

from wscli.config.plan import ChannelPlan
from wscli.core.channel import shown, step_channel
from wscli.core.commands import ChannelCommand, ForgetChannelTokens, ForgetKept, ScheduleSubscription
from wscli.core.events import (
    ChannelEvent,
    LingerElapsed,
    ResumeRequested,
    RetryDue,
    RetryScheduled,
    StartRequested,
    SubscriptionDone,
    SubscriptionEnded,
    UpstreamLost,
    Used,
)
from wscli.core.states import SETTLED, ChannelState, OwnState, Snapshot
from wscli.core.transitions import OPEN
from wscli.daemon.upstream.clocks import subscription_delay
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.sharing.subscription import Subscription
from wscli.errors import AuthError, ChannelUnavailable, WscliError
from wscli.timing import OneShot

__all__ = ["StateTracker"]

S = ChannelState


class TrackedChannel(Protocol):
    """A channel, as its state sees it."""

    plan: ChannelPlan
    subscription: Subscription

    @property
    def kept_open(self) -> bool:
        """Whether it is in use."""


_OPENED = (OPEN, S.HANDSHAKING, S.WAITING)
"""Own states of a channel that takes part in its upstream."""
_CLOSED = SETTLED | {S.IDLE}


class StateTracker:
    """Joins and leaves the upstream as the channel's own state says; ``changed`` is called with the snapshot before."""

    __slots__ = ("_changed", "_channel", "_services", "_timer", "_waiters", "been_ready", "own", "snapshot")

    def __init__(self, channel: TrackedChannel, services: Services, changed: Callable[[Snapshot], None]) -> None:
        self.snapshot = Snapshot()
        """What the channel shows."""
        self.own = OwnState()
        """The channel's own state."""
        self.been_ready = False
        """Whether it was ready since it was opened; not once it is closed."""
        self._waiters: dict[Callable[[], None], None] = {}
        self._channel = channel
        self._services = services
        self._timer = OneShot(services.schedule)
        self._changed = changed

    def feed(self, event: ChannelEvent) -> None:
        """Apply an event of the channel."""
        subscription = self._channel.subscription
        upstream, before = subscription.snapshot, self.own
        after, decided = step_channel(before, event, upstream, self._channel.plan.upstream.policy)
        self.own = after
        if after.next.at is None and after.wait_at is None:
            self._timer.cancel()
        for command in decided:
            self._carry_out(command)
        if _joins(before, event, after, upstream):
            resumed = isinstance(event, ResumeRequested)
            again = Used("resumed", "resumed by hand") if resumed else Used()
            subscription.join(event if isinstance(event, StartRequested) else again)
        self._show()
        if after.state not in _OPENED and after.state is not before.state:
            subscription.leave(by_hand=not isinstance(event, LingerElapsed | RetryDue))
        elif isinstance(event, Used):
            subscription.look_again()

    def mirror(self, upstream: Snapshot) -> None:
        """Show another state of the upstream, if the channel is open."""
        before = self.snapshot
        if upstream.state is not S.READY and self.own.state in (S.HANDSHAKING, S.WAITING):
            self.feed(UpstreamLost())
        self._show()
        opened_again = before.state in SETTLED and self.snapshot.state not in SETTLED
        if opened_again and self.own.state is OPEN and not self._channel.kept_open:
            self.feed(LingerElapsed())  # it was opened for another channel

    def close(self) -> None:
        """End its own wait."""
        self._timer.cancel()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until ``wake`` finds that the condition holds; waiters continue in the order of their calls."""
        if condition():
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def look() -> None:
            if not done.done() and condition():
                done.set_result(None)

        self._waiters[look] = None
        try:
            await done
        finally:
            del self._waiters[look]

    def wake(self) -> None:
        """Check the condition of every waiter."""
        for look in tuple(self._waiters):
            look()

    def unavailable(self, name: str) -> WscliError | None:
        """Say why waiting for the channel is useless; None while it may still become ready."""
        snapshot = self.snapshot
        if snapshot.state not in SETTLED:
            return None
        kind = AuthError if snapshot.refused_credentials else ChannelUnavailable
        verb = "resume" if snapshot.state is S.PAUSED else "start"
        return kind(
            f"channel {name!r} is {snapshot.state}: {snapshot.reason.text}",
            f"`wscli {verb} {quote(name)}` opens it again",
        )

    def _carry_out(self, command: ChannelCommand) -> None:
        subscription, services = self._channel.subscription, self._services
        match command:
            case ForgetChannelTokens():
                subscription.forget_tokens()
            case ForgetKept():
                subscription.forget_kept()
            case ScheduleSubscription():
                delay = subscription_delay(self._channel.plan.upstream.backoff, command, services.chance)
                self._timer.start(delay, lambda: self.feed(RetryDue(0, self._channel.kept_open)))
                self.feed(RetryScheduled(0, delay, services.clock.wall() + delay))

    def _show(self) -> None:
        before, self.snapshot = self.snapshot, shown(self.own, self._channel.subscription.snapshot)
        if self.snapshot != before:
            self.been_ready = self.snapshot.state is S.READY or (self.been_ready and self.snapshot.state not in _CLOSED)
            self._changed(before)


def _joins(before: OwnState, event: ChannelEvent, after: OwnState, upstream: Snapshot) -> bool:
    """Whether the channel opens, or must be subscribed anew."""
    if after.state is not OPEN or isinstance(event, UpstreamLost | SubscriptionDone):
        return False
    anew = isinstance(event, StartRequested | SubscriptionEnded)
    return anew or before.state is not OPEN or (isinstance(event, Used) and upstream.state is S.IDLE)
