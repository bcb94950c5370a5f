"""A channel: who uses it, its own state, its history, and sending.

Where a channel is open, its state is its upstream's (``upstream.upstream`` says which state belongs to which); all it
sees of that is its ``Subscription``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from wscli.config.plan import ChannelPlan
from wscli.control.messages import ChannelStats, Status
from wscli.control.protocol import manager_stopped
from wscli.core import events
from wscli.core.endings import reason_code
from wscli.core.events import ChannelEvent
from wscli.core.failures import Failure, Verdict
from wscli.core.states import SETTLED, ChannelState, Next, Snapshot
from wscli.daemon.channel.announcer import Announcer
from wscli.daemon.channel.backpressure import Backpressure
from wscli.daemon.channel.counters import Counters, Totals
from wscli.daemon.channel.histories import Histories
from wscli.daemon.channel.intake.intake import Intake
from wscli.daemon.channel.intake.messages import Messages
from wscli.daemon.channel.reports import channel_stats, channel_status
from wscli.daemon.channel.sending import send_message
from wscli.daemon.channel.state import StateTracker
from wscli.daemon.channel.usage import Usage
from wscli.daemon.upstream.members.member import ConnectionHook, DialCount
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.upstream import ReloadEffect
from wscli.daemon.upstream.upstreams import Upstreams
from wscli.errors import UnknownChannel, WscliError
from wscli.problems import Problems
from wscli.session.actions import Deliver
from wscli.templates.paths import JsonPath
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
        self.name = name
        self.plan = plan
        self.params = params
        self.values: Mapping[str, Any] = {}
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
        self.subscription = upstreams.subscribe(name, plan.upstream, params, self)
        clock, schedule = services.clock, services.schedule
        self.backpressure = Backpressure(self.subscription.hold, lambda: self.intake.overflow(), clock, schedule)
        kept = (self.counters, self.problems, self.backpressure)
        try:
            self.intake = Intake(name, plan, params, services, histories, *kept)
        except WscliError:  # of its history
            upstreams.remove(self.subscription)
            raise
        self.history = self.intake.history
        self.announcer = Announcer(name, self.problems, after=announce_after, clock=clock, schedule=schedule)
        self.tracker = StateTracker(self.subscription, self._state_changed)
        self._services = services
        self._upstreams = upstreams
        self._totals = totals
        self._on_change = on_change
        self._usage = Usage(plan.eager, plan.linger, schedule, lambda: self._feed(events.LingerElapsed()))

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
    def wanted(self) -> bool:
        """Whether it should be open: eager, started by hand, or in use."""
        return self._usage.wanted

    @property
    def in_use(self) -> bool:
        """Whether a reader or a sender holds it."""
        return self._usage.in_use

    def unavailable(self) -> WscliError | None:
        """Why waiting for it is useless; None while it may still become ready."""
        if self.removed:
            return UnknownChannel(
                f"channel {self.name!r} was removed from the configuration", "`wscli status` lists the channels"
            )
        if self._shut:
            return manager_stopped()
        return self.tracker.unavailable(self.name)

    @property
    def _may_reconnect(self) -> bool:
        return self.kept_open and self.state not in SETTLED and self.state is not S.IDLE

    # by hand

    def start(self) -> None:
        """Open it from whatever state."""
        self._usage.held_open = True
        self._feed(events.StartRequested())

    def stop(self) -> None:
        """Close it until ``start``."""
        self._usage.held_open = False
        self._feed(events.StopRequested())

    def restart(self) -> None:
        """Close it and open it again; start it where it is not open."""
        if self._may_reconnect:
            self.subscription.redial("restarted by hand")
        else:
            self.start()

    def rotate(self) -> None:
        """Replace its connection without closing it first; start it where it is not open."""
        if self._may_reconnect:
            self.subscription.rotate("rotated by hand")
        else:
            self.start()

    def pause(self) -> None:
        """Close it until ``resume``, unless it was stopped or has failed."""
        self._feed(events.PauseRequested())

    def resume(self) -> None:
        """End a pause."""
        self._feed(events.ResumeRequested(self.wanted))

    # by use

    @contextmanager
    def use(self) -> Iterator[None]:
        """Hold it in use: a lazy channel opens, and closes its linger after the last use."""
        with self._usage.hold():
            self._feed(events.Used())
            yield

    def open(self) -> None:
        """Open it, if it is eager."""
        if self.plan.eager:
            self._feed(events.Used())

    async def wait_for(self, states: Collection[ChannelState]) -> ChannelState:
        """Wait until it is in one of the states, or removed, and return its state; the caller bounds the wait."""
        await self.tracker.wait_until(lambda: self.state in states or self.removed)
        return self.state

    async def send(
        self, payload: bytes | Callable[[], bytes], *, binary: bool, timeout: float, preparing: int | None = None
    ) -> None:
        """Hand a message to the open, ready connection; see ``sending.send_message``."""
        await send_message(self, payload, self._services.clock, binary=binary, timeout=timeout, preparing=preparing)

    # its life

    def update(
        self, plan: ChannelPlan, params: Mapping[str, str], *, announce_after: float, tokens_changed: bool = False
    ) -> ReloadEffect:
        """Apply another plan; ``tokens_changed`` says whether the source of a token that it uses did."""
        before, self.plan = self.plan, plan
        self.intake.update(plan, params)
        self.counters.total = self._totals.of(plan.name)
        self.announcer.after = announce_after
        self._usage.update(plan.eager, plan.linger)
        applied = self._upstreams.update(
            self.name, self.subscription, plan.upstream, params, tokens_changed=tokens_changed
        )
        if tokens_changed or plan.upstream != before.upstream:
            self._feed(events.RedialRequested("the configuration changed"))  # if a verdict of its own closed it
            if not self.kept_open:
                self._feed(events.LingerElapsed())
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
        self.announcer.close()
        self._usage.close()
        self.backpressure.reset()
        self._feed(events.StopRequested())
        self.intake.close()
        if not self._shut:
            self._upstreams.remove(self.subscription)
        self._shut = True

    def judge(self, verdict: Verdict, failure: Failure) -> None:
        """Carry out a verdict on its subscription alone; other channels of the upstream go on."""
        self._feed(events.VerdictGiven(self.subscription.snapshot.generation, verdict, failure))

    # upstream.Subscriber

    @property
    def dedupe(self) -> JsonPath | None:
        """The path of the value by which a repeated message is recognised."""
        return self.plan.dedupe

    @property
    def kept(self) -> dict[str, dict[str, Any]]:
        """What its session keeps of it, as ``sub``, and of an upstream that is its own, as ``var``."""
        return self.history.kept

    @property
    def kept_open(self) -> bool:
        """Whether it is wanted, or in its linger."""
        return self._usage.kept_open

    @property
    def critical(self) -> bool:
        """Whether it goes before those that are not."""
        return self.plan.critical

    def mirror(self, upstream: Snapshot) -> None:
        """Show the state of the upstream, where the channel has no state of its own."""
        self.tracker.mirror(kept_open=self.kept_open)

    def gap(self) -> None:
        """Record the gap since it was last ready."""
        self.intake.listening(self._services.clock.wall())

    def ready(self) -> None:
        """Count the connection."""
        self.counters.count_connection()

    def received(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Pass messages to the intake."""
        self.counters.last_message_at = self._services.clock.wall()
        self.intake.received(payloads, kinds)

    def delivered(self, delivery: Deliver, logged: Callable[[int], None]) -> None:
        """Pass messages of its session to the intake."""
        self.counters.last_message_at = self._services.clock.wall()
        self._keep_upstreams(delivery.kept)
        self.intake.take(
            Messages(delivery.payloads, delivery.kinds, delivery.keys, delivery.kept, delivery.acks, logged)
        )

    def missed(self, reason: str, count: int | None) -> None:
        """Record a gap that its session found."""
        self.intake.take(Messages([], None, gap=(reason, count, self._services.clock.wall())))

    def keep(self, kept: Mapping[str, Mapping[str, Any]]) -> None:
        """Write what its session keeps, in the order of its messages."""
        self._keep_upstreams(kept)
        self.intake.take(Messages([], None, kept=kept))

    def _keep_upstreams(self, kept: Mapping[str, Mapping[str, Any]] | None) -> None:
        """Have another upstream begin with what this one keeps."""
        if kept is not None and "var" in kept:
            self.kept["var"] = dict(kept["var"])

    def moved(self) -> None:
        """Count the rotation; that the connection before ended a moment ago is not an outage."""
        self.counters.count_rotation()
        self.intake.handed_over()
        self.announcer.handed_over()

    def ended(self, failure: Failure) -> None:
        """Count the end, and begin the outage; where it was closed by us, the state says why."""
        left = self.state not in (S.HANDSHAKING, S.READY)
        self.counters.count_end(failure, self.snapshot.reason.code if left else reason_code(failure))
        self.intake.lost(self._services.clock.wall(), deliberate=self.state in (S.PAUSED, S.STOPPED, S.IDLE))
        self.backpressure.reset()

    def measured(self, rtt: float) -> None:
        """Keep the round-trip time."""
        self.counters.rtt = rtt

    def counted(self, what: DialCount) -> None:
        """Count what an attempt to connect did."""
        self.counters.count_dial(what)

    # for itself

    def _feed(self, event: ChannelEvent) -> None:
        if not self._shut:
            self.tracker.feed(event)

    def _state_changed(self, before: Snapshot) -> None:
        """Announce it, and tell those who wait."""
        after = self.snapshot
        if after.state is not before.state:
            self.since = self._services.clock.wall()
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
