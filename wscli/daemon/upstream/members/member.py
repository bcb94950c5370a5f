"""A channel's place in an upstream: what the upstream tells it, and what it asks of it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from wscli.config.plan import UpstreamPlan
from wscli.core.events import ChannelEvent
from wscli.core.failures import Failure
from wscli.core.states import Snapshot
from wscli.session.actions import Deliver
from wscli.templates.paths import JsonPath
from wscli.transport.connection import Connection

__all__ = ["ConnectionHook", "DialCount", "Member", "Subscriber"]

DialCount = Literal["dials", "dial_failures", "refusals", "retries"]
"""What channels count of the attempts to connect, by the names of ``stats --json``."""


class ConnectionHook(Protocol):
    """Prepares a new connection for a channel, before it is ready."""

    def __call__(self, connection: Connection) -> Coroutine[Any, Any, str | None]:
        """Prepare it, and give the text of a failure, or None."""

    def connection(self, number: int) -> Connection | None:
        """Give the connection that it prepares under this number."""


class Subscriber(Protocol):
    """A channel, as its upstream sees it."""

    name: str

    @property
    def params(self) -> Mapping[str, str]:
        """The parameters of its name."""

    @property
    def values(self) -> Mapping[str, Any]:
        """Its ``with``, filled."""

    @property
    def on_connect(self) -> ConnectionHook | None:
        """What it does on a new connection, before that is ready."""

    @property
    def dedupe(self) -> JsonPath | None:
        """The path of the value by which a repeated message is recognised."""

    @property
    def kept(self) -> dict[str, dict[str, Any]]:
        """What its session keeps beyond a connection: of it, as ``sub``; of an upstream of its own, as ``var``."""

    @property
    def kept_open(self) -> bool:
        """Whether it still wants the upstream."""

    @property
    def critical(self) -> bool:
        """Whether it goes before those that are not."""

    def mirror(self, upstream: Snapshot) -> None:
        """Show another state of the upstream; called before the commands of the step are carried out."""

    def feed(self, event: ChannelEvent) -> None:
        """Learn what happens to its subscription."""

    def gap(self) -> None:
        """Record that messages may be missing since the subscription was last ready, or was made."""

    def resumed(self) -> None:
        """Forget the gap in progress: the server sends what was missed."""

    def ready(self) -> None:
        """Expect messages: it is subscribed."""

    def received(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Receive messages; the list is shared by all subscribers, which do not change it."""

    def delivered(self, delivery: Deliver, logged: Callable[[int], None]) -> None:
        """Receive messages of its own from a session; ``logged`` takes the number of each acknowledgement."""

    def missed(self, reason: str, count: int | None) -> None:
        """Record a gap that its session found."""

    def keep(self, kept: Mapping[str, Mapping[str, Any]]) -> None:
        """Write all of what its session keeps, in the order of its messages."""

    def moved(self) -> None:
        """Expect messages over another connection: a successor took the place of one that was open.

        That one may have ended a moment earlier, as servers do that allow one connection: that is not an outage.
        """

    def ended(self, failure: Failure) -> None:
        """Expect no more messages: the connection ended, or the subscription does."""

    def measured(self, rtt: float) -> None:
        """Learn the round-trip time, in seconds."""

    def counted(self, what: DialCount) -> None:
        """Count what an attempt to connect did."""


@dataclass(slots=True, eq=False)
class Member:
    """One channel's place among the subscribers; one object a channel, the same on every connection.

    It is the ``session.actions.ChannelSession`` of its channel.
    """

    subscriber: Subscriber
    plan: UpstreamPlan
    joined: bool = False
    """Whether the channel is open."""
    receives: bool = False
    """Whether it was ready since it joined: from then on it receives every message."""
    waits: bool = False
    """Whether it was refused on the ready upstream, and waits to be subscribed anew."""
    held: bool = False
    """Whether it holds back reading."""
    tokens: dict[str, int] = field(default_factory=dict)
    """The version of each token that its own steps used, by name."""
    trying_since: float | None = None
    """Start of the time without health, on ``Clock.monotonic``; None: it was not tried yet."""
    subscribed_at: float | None = None
    """On ``Clock.monotonic``; None: it is not subscribed."""

    @property
    def connection_plan(self) -> UpstreamPlan:
        """The plan without what the channel declares of its subscription alone, where it shares the connection."""
        return self.plan.shared if self.plan.share else self.plan

    @property
    def name(self) -> str:
        """The channel's name."""
        return self.subscriber.name

    @property
    def params(self) -> Mapping[str, str]:
        """The parameters of its name."""
        return self.subscriber.params

    @property
    def values(self) -> Mapping[str, Any]:
        """Its ``with``, filled."""
        return self.subscriber.values

    @property
    def critical(self) -> bool:
        """Whether it goes before those that are not."""
        return self.subscriber.critical

    @property
    def dedupe(self) -> JsonPath | None:
        """The path of the value by which a repeated message is recognised."""
        return self.subscriber.dedupe

    @property
    def kept(self) -> dict[str, Any]:
        """What the session keeps of it beyond a connection."""
        return self.subscriber.kept.setdefault("sub", {})
