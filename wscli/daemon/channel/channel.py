"""A channel: who uses it, its own state, its history, and sending.

Where a channel is open, its state is its upstream's (``upstream.upstream`` says which state belongs to which); all it
sees of that is its ``Subscription``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from shlex import quote

from wscli.config.plan import ChannelPlan
from wscli.control.messages import ChannelStats, Status
from wscli.control.protocol import manager_stopped
from wscli.core import events
from wscli.core.events import ChannelEvent
from wscli.core.states import SETTLED, ChannelState, Next, Snapshot
from wscli.daemon.channel.announcer import Announcer
from wscli.daemon.channel.backpressure import Backpressure
from wscli.daemon.channel.counters import Counters, Totals
from wscli.daemon.channel.histories import Histories
from wscli.daemon.channel.intake.intake import Intake
from wscli.daemon.channel.own_clients import OwnClients
from wscli.daemon.channel.reports import channel_stats, channel_status
from wscli.daemon.channel.sending import send_message
from wscli.daemon.channel.state import StateTracker
from wscli.daemon.channel.subscriber import ChannelSubscriber
from wscli.daemon.channel.usage import Usage
from wscli.daemon.upstream.members.member import ConnectionHook
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.session.seam import AwaitedReply
from wscli.daemon.upstream.sharing.upstreams import Upstreams
from wscli.daemon.upstream.upstream import ReloadEffect
from wscli.errors import UnknownChannel, UsageError, WscliError
from wscli.problems import Problems
from wscli.transport.connection import Connection

__all__ = ["Channel"]

S = ChannelState


class Channel:
    """A declared channel, or one instance of a template."""

    def __init__(
        self,
        name: str,
        plan: ChannelPlan,
        params: Mapping[str, str],
        services: Services,
        upstreams: Upstreams,
        histories: Histories,
        *,
        announce_after: float,
        totals: Totals,
        on_change: Callable[[Channel], None],
    ) -> None:
        """``totals`` counts what this channel counts too, by the declared name."""
        self.name, self.plan, self.params = name, plan, params
        try:
            self.values = plan.fill_values(params)
        except ValueError as error:
            raise UnknownChannel(f"invalid channel name {name!r}: {error}") from None
        self.counters = Counters(totals.of(plan.name))
        self.readers = 0
        self.removed = False
        self._shut = False
        self.since = services.clock.wall()
        self.problems = Problems(name, on_change=self._changed)
        """Problems beside its state, such as a hook that fails."""
        self.hook_stats: dict[str, Callable[[], dict[str, int]]] = {}
        self.on_connect: ConnectionHook | None = None
        self.outbox = {"queued": 0, "expired": 0, "rejected": 0}
        """The number of its messages in the outbox, by state."""
        clock, schedule = services.clock, services.schedule
        self.subscription = upstreams.subscribe(plan.upstream, ChannelSubscriber(self, clock))
        self.intake: Intake
        self.backpressure = Backpressure(self.subscription.hold, lambda: self.intake.overflow(), clock, schedule)
        kept = (self.counters, self.problems, self.backpressure)
        try:
            self.intake = Intake(name, plan, params, services, histories, *kept)
        except WscliError:  # of its history
            upstreams.remove(self.subscription)
            raise
        self.history = self.intake.history
        self.announcer = Announcer(name, self.problems, after=announce_after, clock=clock, schedule=schedule)
        self.tracker = StateTracker(self, services, self._state_changed)
        self.own = OwnClients(self, services, upstreams.own, self._changed)
        self._services, self._upstreams = services, upstreams
        self._totals = totals
        self._on_change = on_change
        self.usage = Usage(plan.eager, plan.linger, schedule, lambda: self.feed(events.LingerElapsed()))

    # what it is

    @property
    def snapshot(self) -> Snapshot:
        """Its state, with its reason and what happens next."""
        return self.tracker.snapshot

    @property
    def state(self) -> ChannelState:
        """The state that ``status`` shows."""
        return self.snapshot.state

    @property
    def connection(self) -> Connection | None:
        """The open connection, while the channel is ready."""
        return self.subscription.connection

    @property
    def in_use(self) -> bool:
        """Whether a reader or a sender holds it, or a client has an upstream of its own."""
        return self.usage.in_use or len(self.own) > 0

    @property
    def kept_open(self) -> bool:
        """Whether it is wanted, or in its linger."""
        return self.usage.kept_open

    def unavailable(self) -> WscliError | None:
        """Why waiting for it is useless; None while it may still become ready."""
        if self.removed:
            text = f"channel {self.name!r} was removed from the configuration"
            return UnknownChannel(text, "`wscli status` lists the channels")
        if self._shut:
            return manager_stopped()
        return self.tracker.unavailable(self.name)

    @property
    def _may_reconnect(self) -> bool:
        return self.kept_open and self.state not in SETTLED and self.state is not S.IDLE

    # by hand

    def start(self) -> None:
        """Open it from whatever state; where its clients open upstreams of their own, end a stop or a pause alone."""
        if self.plan.clients.own and not self.usage.wanted and self.state in (S.IDLE, S.STOPPED, S.PAUSED):
            self.feed(events.ReleaseRequested())
        else:
            self.usage.held_open = True
            self.feed(events.StartRequested())

    def stop(self) -> None:
        """Close it until ``start``."""
        self.usage.held_open = False
        self.feed(events.StopRequested())

    def restart(self) -> None:
        """Connect it anew; on a ready connection that others share, subscribe it anew; start it where it is closed."""
        self.own.restart()
        if self._may_reconnect and self.subscription.has_neighbours and self.state in (S.READY, S.HANDSHAKING):
            self.subscription.resubscribe()
        elif self._may_reconnect:
            self.subscription.redial()
        else:
            self.start()

    def rotate(self) -> None:
        """Replace its connection without closing it first; start it where it is not open.

        Raises:
            UsageError: its endpoint declares ``rotate: none``.
        """
        self.check_rotation()
        if self._may_reconnect:
            self.subscription.rotate()
        else:
            self.start()

    def check_rotation(self) -> None:
        """Refuse a rotation that its endpoint forbids, as ``rotate`` does."""
        if not self.plan.upstream.rotates:
            raise UsageError(
                f"channel {self.name!r} cannot be rotated: 'rotate' is none for its endpoint",
                f"`wscli restart {quote(self.name)}` closes its connection first",
            )

    def resubscribe(self) -> None:
        """Subscribe it anew on its open connection; open it where that is not under way."""
        if self.state in (S.READY, S.HANDSHAKING) and self._may_reconnect:
            self.subscription.resubscribe()
        else:
            self.start()

    def pause(self) -> None:
        """Close it until ``resume``, unless it was stopped or has failed."""
        self.feed(events.PauseRequested())

    def resume(self) -> None:
        """End a pause."""
        self.feed(events.ResumeRequested(self.usage.wanted))

    # by use

    @contextmanager
    def use(self) -> Iterator[None]:
        """Hold it in use: a lazy channel opens, and closes its linger after the last use."""
        with self.usage.hold():
            self.feed(events.Used())
            yield

    def open(self) -> None:
        """Open it, if it is eager."""
        if self.plan.eager:
            self.feed(events.Used())

    async def wait_for(self, states: Collection[ChannelState]) -> ChannelState:
        """Wait until it is in one of the states, or removed, and return its state; the caller bounds the wait."""
        await self.tracker.wait_until(lambda: self.state in states or self.removed)
        return self.state

    async def send(
        self,
        payload: bytes | Callable[[], bytes],
        *,
        binary: bool,
        timeout: float,
        preparing: int | None = None,
        reply: AwaitedReply | None = None,
    ) -> None:
        """Hand a message to the open, ready connection; see ``sending.send_message``."""
        clock = self._services.clock
        await send_message(self, payload, clock, binary=binary, timeout=timeout, preparing=preparing, reply=reply)

    # its life

    def update(
        self, plan: ChannelPlan, params: Mapping[str, str], *, announce_after: float, tokens_changed: bool = False
    ) -> ReloadEffect:
        """Apply another plan; ``tokens_changed`` says whether the source of a token that it uses did."""
        before, self.plan = self.plan, plan
        values, self.params, self.values = self.values, params, plan.fill_values(params)
        self.intake.update(plan, params)
        self.counters.total = self._totals.of(plan.name)
        self.announcer.after = announce_after
        self.usage.update(plan.eager, plan.linger)
        self.own.changed(before, values, tokens_changed=tokens_changed)
        applied = self._upstreams.update(self.subscription, plan.upstream, tokens_changed=tokens_changed)
        if tokens_changed or plan.upstream != before.upstream:
            self.feed(events.RedialRequested("the configuration changed"))  # if a verdict of its own closed it
            if not self.kept_open:
                self.feed(events.LingerElapsed())
        elif values != self.values and applied == "updated":
            self.subscription.resubscribe()
        if plan.eager and not before.eager:
            self.open()
        return applied

    def remove(self) -> None:
        """End it for good: its readers are told, and its connection is closed."""
        self.removed = True
        self.shut()
        self._changed()

    def shut(self) -> None:
        """Close its connection and its timers, and log nothing of it: the channel or the manager ends."""
        self.own.shut(removed=self.removed)
        self.announcer.close()
        self.usage.close()
        self.tracker.close()
        self.backpressure.reset()
        self.feed(events.StopRequested())
        self.intake.close()
        if not self._shut:
            self._upstreams.remove(self.subscription)
        self._shut = True

    def feed(self, event: ChannelEvent) -> None:
        """Apply an event of the channel, or of its subscription."""
        if isinstance(event, events.SubscriptionEnded):
            self.counters.count_subscription_end()
        if not self._shut:
            self.tracker.feed(event)

    # for itself

    def _state_changed(self, before: Snapshot) -> None:
        """Announce it, and tell those who wait."""
        after = self.snapshot
        if after.state is not before.state:
            self.since = self._services.clock.wall()
            self.own.follow(after.state)
        self.announcer.changed(before, after)
        if after.next != Next("retry"):  # the wait is drawn in the same turn
            self._changed()

    def _changed(self) -> None:
        self.tracker.wake()
        self._on_change(self)

    def status(self) -> Status:
        """The object of ``status --json``."""
        return channel_status(self, self._services.clock.wall())

    def stats(self) -> ChannelStats:
        """The channel's part of ``stats --json``."""
        return channel_stats(self, self._services.clock.wall())
