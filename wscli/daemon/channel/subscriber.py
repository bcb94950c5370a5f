"""What an upstream tells a channel of its subscription: it goes into the channel's counters, intake and state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from wscli.clock import Clock
from wscli.config.plan import ChannelPlan
from wscli.core.events import ChannelEvent
from wscli.core.failures import Failure
from wscli.core.moves import reason_code
from wscli.core.states import ChannelState, Snapshot
from wscli.daemon.channel.announcer import Announcer
from wscli.daemon.channel.backpressure import Backpressure
from wscli.daemon.channel.counters import Counters
from wscli.daemon.channel.intake.intake import Intake
from wscli.daemon.channel.intake.messages import Messages
from wscli.daemon.channel.state import StateTracker
from wscli.daemon.upstream.members.member import ConnectionHook, DialCount
from wscli.session.actions import Deliver
from wscli.templates.paths import JsonPath

__all__ = ["ChannelSubscriber"]

S = ChannelState


class SubscribedChannel(Protocol):
    """A channel, as its subscription sees it."""

    name: str
    plan: ChannelPlan
    params: Mapping[str, str]
    values: Mapping[str, Any]
    counters: Counters
    intake: Intake
    announcer: Announcer
    backpressure: Backpressure
    tracker: StateTracker
    on_connect: ConnectionHook | None
    removed: bool

    @property
    def kept_open(self) -> bool:
        """Whether it is wanted, or in its linger."""

    def feed(self, event: ChannelEvent) -> None:
        """Apply an event of the channel, or of its subscription."""


class ChannelSubscriber:
    """A channel's ``members.member.Subscriber``."""

    __slots__ = ("_channel", "_clock", "feed", "name")

    def __init__(self, channel: SubscribedChannel, clock: Clock) -> None:
        self.name = channel.name
        self.feed = channel.feed
        self._channel = channel
        self._clock = clock

    @property
    def params(self) -> Mapping[str, str]:
        """The parameters of its name."""
        return self._channel.params

    @property
    def values(self) -> Mapping[str, Any]:
        """Its ``with``, filled."""
        return self._channel.values

    @property
    def on_connect(self) -> ConnectionHook | None:
        """What it does on a new connection, before that is ready."""
        return self._channel.on_connect

    @property
    def dedupe(self) -> JsonPath | None:
        """The path of the value by which a repeated message is recognised."""
        return self._channel.plan.dedupe

    @property
    def kept(self) -> dict[str, dict[str, Any]]:
        """What its session keeps of it, as ``sub``, and of an upstream that is its own, as ``var``."""
        return self._channel.intake.history.kept

    @property
    def kept_open(self) -> bool:
        """Whether it is wanted, or in its linger."""
        return self._channel.kept_open

    @property
    def critical(self) -> bool:
        """Whether it goes before those that are not."""
        return self._channel.plan.critical

    def mirror(self, upstream: Snapshot) -> None:
        """Show the state of the upstream, where the channel has no state of its own."""
        self._channel.tracker.mirror(upstream)

    def gap(self) -> None:
        """Record the gap since it was last ready."""
        self._channel.intake.listening(self._clock.wall())

    def resumed(self) -> None:
        """Forget the gap in progress."""
        self._channel.intake.handed_over()

    def ready(self) -> None:
        """Count the connection."""
        self._channel.counters.count_connection()

    def received(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Pass messages to the intake."""
        self._channel.counters.last_message_at = self._clock.wall()
        self._channel.intake.received(payloads, kinds)

    def delivered(self, delivery: Deliver, logged: Callable[[int], None]) -> None:
        """Pass messages of its session to the intake; one that was removed has none."""
        if self._channel.removed:
            return
        if delivery.keys is None and delivery.kept is None and not delivery.acks:
            self.received(delivery.payloads, delivery.kinds)
            return
        self._channel.counters.last_message_at = self._clock.wall()
        self._keep_upstreams(delivery.kept)
        self._channel.intake.take(
            Messages(delivery.payloads, delivery.kinds, delivery.keys, delivery.kept, delivery.acks, logged)
        )

    def missed(self, reason: str, count: int | None) -> None:
        """Record a gap that its session found."""
        self._channel.intake.take(Messages([], None, gap=(reason, count, self._clock.wall())))

    def keep(self, kept: Mapping[str, Mapping[str, Any]]) -> None:
        """Write what its session keeps, in the order of its messages."""
        self._keep_upstreams(kept)
        self._channel.intake.take(Messages([], None, kept=kept))

    def _keep_upstreams(self, kept: Mapping[str, Mapping[str, Any]] | None) -> None:
        """Have another upstream begin with what this one keeps."""
        if kept is not None and "var" in kept:
            self.kept["var"] = dict(kept["var"])

    def moved(self) -> None:
        """Count the rotation; that the connection before ended a moment ago is not an outage."""
        self._channel.counters.count_rotation()
        self._channel.intake.handed_over()
        self._channel.announcer.handed_over()

    def ended(self, failure: Failure) -> None:
        """Count the end, and begin the outage; where it was closed by us, the state says why."""
        channel, shown = self._channel, self._channel.tracker.snapshot
        left = shown.state not in (S.HANDSHAKING, S.READY)
        channel.counters.count_end(failure, shown.reason.code if left else reason_code(failure))
        channel.intake.lost(self._clock.wall(), deliberate=shown.state in (S.PAUSED, S.STOPPED, S.IDLE))
        channel.backpressure.reset()

    def measured(self, rtt: float) -> None:
        """Keep the round-trip time."""
        self._channel.counters.rtt = rtt

    def counted(self, what: DialCount) -> None:
        """Count what an attempt to connect did."""
        self._channel.counters.count_dial(what)
