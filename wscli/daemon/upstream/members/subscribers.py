"""The channels of an upstream: what it tells them, and what it asks of them."""

from __future__ import annotations

from collections.abc import Callable

from wscli.core.states import Snapshot
from wscli.daemon.upstream.members.member import ConnectionHook, DialCount, Member
from wscli.transport.connection import Connection

__all__ = ["Subscribers"]


class Subscribers:
    """The channels of one upstream."""

    __slots__ = ("_paused", "members", "receivers")

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.receivers: tuple[Callable[[list[bytes], bytes | None], None], ...] = ()
        """Called with every batch of messages."""
        self._paused: Connection | None = None
        """The connection whose reading is paused."""

    @property
    def wanted(self) -> bool:
        """Whether an open channel still wants the upstream."""
        return any(one.subscriber.kept_open for one in self.joined())

    @property
    def critical(self) -> bool:
        """Whether one of the channels is critical."""
        return any(one.subscriber.critical for one in self.members)

    def mirror(self, snapshot: Snapshot) -> None:
        """Tell every channel of the upstream's state: an idle one may show it too."""
        for one in tuple(self.members):
            one.subscriber.mirror(snapshot)

    def preparations(self) -> list[ConnectionHook]:
        """Give the hooks of the open channels that prepare a new connection."""
        return [one.subscriber.on_connect for one in self.joined() if one.subscriber.on_connect]

    def admit(self, member: Member, *, moved: bool, resumed: bool) -> None:
        """Tell a channel that it is ready, and what it may have missed."""
        if not member.receives:
            member.receives = True
            self._set_receivers()
        subscriber = member.subscriber
        if moved:
            subscriber.moved()
        else:
            subscriber.resumed() if resumed else subscriber.gap()
            subscriber.ready()

    def leave(self, member: Member) -> None:
        """Tell a channel nothing more."""
        member.joined = member.receives = member.waits = member.held = False
        self._set_receivers()

    def measured(self, rtt: float) -> None:
        """Tell the open channels the round-trip time."""
        for one in self.joined():
            one.subscriber.measured(rtt)

    def count(self, what: DialCount) -> None:
        """Have the open channels count what an attempt to connect did."""
        for one in self.joined():
            one.subscriber.counted(what)

    @property
    def paused(self) -> bool:
        """Whether reading is paused."""
        return self._paused is not None

    def regulate(self, connection: Connection | None) -> None:
        """Pause reading from the connection while every channel on it holds it back, and only then.

        One that is being subscribed waits for an answer.
        """
        expected = [one for one in self.members if one.joined and not one.waits]
        paused = connection if expected and all(one.held and one.receives for one in expected) else None
        if paused is self._paused:
            return
        if self._paused is not None and connection is not None:  # else it is closed, or being closed
            self._paused.resume_reading()
        if paused is not None:
            paused.pause_reading()
        self._paused = paused

    def joined(self) -> list[Member]:
        """Give the members of open channels, the critical ones first."""
        return sorted((one for one in self.members if one.joined), key=lambda one: not one.critical)

    def wait_no_more(self) -> None:
        """Expect every open channel on the next connection: what a refusal had it wait for is over."""
        for one in self.members:
            one.waits = False

    def expected(self) -> list[Member]:
        """Give the members of open channels that a new connection is to carry, the critical ones first."""
        return [one for one in self.joined() if not one.waits]

    def _receiving(self) -> tuple[Member, ...]:
        return tuple(one for one in self.members if one.receives)

    def _set_receivers(self) -> None:
        self.receivers = tuple(one.subscriber.received for one in self._receiving())
