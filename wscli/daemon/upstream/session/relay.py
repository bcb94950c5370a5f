"""What a session says of its channels, on its way to the upstream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.members.member import Member
from wscli.daemon.upstream.session.seam import SessionListener
from wscli.session import actions as a

__all__ = ["ChannelRelay", "member_of"]


class ChannelRelay:
    """Tells the upstream, in order.

    A session knows of the channels that are open before ``hello``, so that what arrives meanwhile is kept for them. The
    upstream lets them join after it; what is said of a channel until then is held here.
    """

    TOLD = (a.RecordGap, a.SubscriptionReady, a.JudgeChannel, a.Unsubscribed)
    """The actions that are for a channel alone, beside ``Deliver``."""

    __slots__ = ("_early", "_listener", "_logged", "_record")

    def __init__(self, listener: SessionListener, record: AttemptRecord, logged: Callable[[int], None]) -> None:
        self._listener = listener
        self._record = record
        self._logged = logged
        self._early: dict[Member, list[Any]] = {}

    def hold(self, member: Member) -> None:
        """Hold what is said of a channel."""
        self._early[member] = []

    def join(self, member: Member) -> bool:
        """Tell what was held of a channel; False: nothing was."""
        held = self._early.pop(member, None)
        for action in held or ():
            self.tell(action)
        return held is not None

    def closed(self) -> list[Member]:
        """Give the channels that were closed before they could join, and forget them."""
        closed = [one for one in self._early if not one.joined]
        for member in closed:
            del self._early[member]
        return closed

    def deliver(self, action: a.Deliver) -> None:
        """Hand messages to the upstream, or hold them; called for every message."""
        if self._early:
            self.tell(action)
        else:
            self._listener.deliver(action.channel, action, self._logged)  # type: ignore[arg-type]  # see ``member_of``

    def tell(self, action: Any) -> None:
        """Tell the upstream, or hold it."""
        member, listener = member_of(action.channel), self._listener
        if member in self._early:
            self._early[member].append(action)
            return
        match action:
            case a.Deliver():
                listener.deliver(member, action, self._logged)
            case a.RecordGap(reason=reason, missed=missed):
                listener.gap(member, reason, missed)
            case a.SubscriptionReady(resumed=resumed):
                listener.subscribed(member, resumed=resumed)
            case a.StepWaits(text=text):
                listener.subscribing(member, text)
            case a.JudgeChannel(verdict=verdict, failure=failure):
                listener.refused(member, verdict, self._record.scrubbed(failure))
            case a.Unsubscribed():
                if self._record.session is not None:
                    self._record.session.forget(member.name)
                listener.unsubscribed(member)


def member_of(channel: a.ChannelSession) -> Member:
    """Give the member that a session's channel is."""
    if not isinstance(channel, Member):
        raise TypeError(f"{channel!r} is not a member of an upstream")
    return channel
