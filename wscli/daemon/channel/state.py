"""A channel's state as it changes: its own, or its upstream's while it is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from shlex import quote

from wscli.core.channel import shown, step_channel
from wscli.core.events import ChannelEvent, LingerElapsed, ResumeRequested, StartRequested, Used
from wscli.core.states import SETTLED, ChannelState, Snapshot
from wscli.daemon.upstream.subscription import Subscription
from wscli.errors import AuthError, ChannelUnavailable, WscliError

__all__ = ["StateTracker"]

S = ChannelState


class StateTracker:
    """Joins and leaves the upstream as the channel's own state says; ``changed`` is called with the snapshot before."""

    __slots__ = ("_changed", "_subscription", "_waiters", "own", "snapshot")

    def __init__(self, subscription: Subscription, changed: Callable[[Snapshot], None]) -> None:
        self.snapshot = Snapshot()
        """What the channel shows."""
        self.own: Snapshot | None = self.snapshot
        """The channel's own state; None while it is open."""
        self._waiters: dict[Callable[[], None], None] = {}
        self._subscription = subscription
        self._changed = changed

    def feed(self, event: ChannelEvent) -> None:
        """Apply an event of the channel."""
        upstream = self._subscription.snapshot
        before, self.own = self.own, step_channel(self.own, event, upstream)
        if self.own is None and isinstance(event, StartRequested):
            self._subscription.join(event)
        elif self.own is None and (before is not None or (isinstance(event, Used) and upstream.state is S.IDLE)):
            resumed = isinstance(event, ResumeRequested)
            self._subscription.join(Used("resumed", "resumed by hand") if resumed else Used())
        self._show()
        if self.own is not None and self.own is not before:
            self._subscription.leave(by_hand=not isinstance(event, LingerElapsed))
        elif isinstance(event, Used):
            self._subscription.look_again()

    def mirror(self, *, kept_open: bool) -> None:
        """Show another state of the upstream, if the channel is open; ``kept_open`` says whether it is in use."""
        before = self.snapshot
        self._show()
        opened_again = before.state in SETTLED and self.snapshot.state not in SETTLED
        if opened_again and self.own is None and not kept_open:
            self.feed(LingerElapsed())  # it was opened for another channel

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

    def _show(self) -> None:
        before, self.snapshot = self.snapshot, shown(self.own, self._subscription.snapshot)
        if self.snapshot != before:
            self._changed(before)
