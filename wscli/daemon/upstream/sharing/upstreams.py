"""The registry of upstreams: which one a channel subscribes on, and the end of each with its last subscription.

A channel has an upstream of its own, or shares one with the channels of its endpoint that dial the same. Where an
upstream carries a limited number of channels, there are several of one key, and a channel goes to the first with room.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Hashable, Iterator
from contextlib import suppress
from typing import NamedTuple

from wscli.config.dial_plan import UpstreamKey
from wscli.config.plan import UpstreamPlan
from wscli.control.messages import Connections
from wscli.core.events import CloseRequested
from wscli.daemon.upstream.members.member import Member, Subscriber
from wscli.daemon.upstream.own import OwnUpstreams
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.session.seam import MakeSession
from wscli.daemon.upstream.sharing.subscription import Subscription
from wscli.daemon.upstream.upstream import ReloadEffect, Upstream
from wscli.errors import UnknownChannel

__all__ = ["UpstreamId", "Upstreams"]


class UpstreamId(NamedTuple):
    """What an upstream is registered by."""

    dial: UpstreamKey
    """How to connect, filled for the channel but for tokens and variables."""
    channel: str | None
    """The one channel that it is for; None: it is shared by the channels of its endpoint that dial the same."""
    endpoint: str

    @property
    def closing_key(self) -> Hashable:
        """What must have closed its connection before another of it dials."""
        return self.channel or self


class Upstreams:
    """Every upstream of a manager."""

    def __init__(self, services: Services, make_session: MakeSession) -> None:
        self.own = OwnUpstreams()
        """Those of single clients."""
        self._services = services
        self._make_session = make_session
        self._upstreams: dict[UpstreamId, list[Upstream]] = {}
        self._ids: dict[Upstream, UpstreamId] = {}
        self._closing: dict[Hashable, asyncio.Task[None]] = {}
        """Closes of upstreams that ended, while they are under way."""

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[Upstream]:
        return iter(self._ids)

    def subscribe(self, plan: UpstreamPlan, subscriber: Subscriber) -> Subscription:
        """Give a channel its subscription; the upstream is made where there is none yet.

        Raises:
            UnknownChannel: a parameter of the channel's name does not fit its dial.

        """
        try:
            key = _id(member := Member(subscriber, plan))
        except ValueError as error:
            raise UnknownChannel(f"invalid channel name {subscriber.name!r}: {error}") from None
        return Subscription(self._find(key, member), member)

    def update(self, subscription: Subscription, plan: UpstreamPlan, *, tokens_changed: bool) -> ReloadEffect:
        """Apply another plan of a channel, and say whether that redials, or rotates.

        An upstream of this channel alone stays, and dials otherwise. A channel that shares its upstream leaves that to
        the others and goes on with another. What is not of the dial, a shared upstream takes from its first channel.
        """
        upstream, member = subscription.upstream, subscription.member
        before, member.plan = member.plan, plan
        old = new = self._ids[upstream]
        with suppress(ValueError):  # its next dial fails, and says why
            new = _id(member)
        if (new == old and not _is_crowded(upstream, member)) or (_is_alone(upstream) and new not in self._upstreams):
            self._unregister(upstream)
            self._register(upstream, new)
            if member is upstream.subscribers.members[0]:
                redials = new.dial != old.dial or (new.channel is not None and member.params != upstream.params)
                return upstream.update(
                    member.connection_plan, member.params, member.values, redials=redials, tokens_changed=tokens_changed
                )
            if plan.session == before.session:
                return "updated"
            return "restarted" if plan.rotate is None else "rotated"  # as the first channel has it do
        moved = subscription.move(self._find(new, member, but=upstream))
        self._left(upstream)
        return "restarted" if moved else "updated"

    def remove(self, subscription: Subscription) -> None:
        """Take a closed channel's subscription back."""
        subscription.cancel()
        self._left(subscription.upstream)

    def stats(self) -> Connections:
        """Give the ``connections`` of ``stats --json``."""
        active = sum(one.attempts.holds_a_connection for one in self)
        return {
            "active": active + sum(one.connection is not None for one in self.own),
            "total": len(self) + len(self.own),
            "successors": sum(one.attempts.describe_successor(one.snapshot) is not None for one in self),
            "unrouted": self._services.unrouted.messages,
        }

    def addresses(self) -> set[str]:
        """Give the IP addresses that were dialled last."""
        return {address for upstream in self for address in upstream.destination.addresses}

    def network_changed(self) -> None:
        """Have every upstream look whether a route leads to its server, and ping if it is open."""
        reachable, source = functools.cache(self._services.reachable), functools.cache(self._services.source)
        for upstream in tuple(self):
            upstream.network_changed(reachable, source)
        self.own.network_changed(source)

    async def closed(self) -> None:
        """Wait until no connection is being closed any more."""
        closing = (*self._closing.values(), *(one.attempts.closing for one in self))
        if tasks := [task for task in closing if task is not None]:
            await asyncio.wait(tasks)
        await self.own.closed()

    def _find(self, key: UpstreamId, member: Member, but: Upstream | None = None) -> Upstream:
        """Give the first upstream of a key that has room, other than ``but``; make one where there is none."""
        most = member.plan.most_channels
        for upstream in self._upstreams.get(key, ()):
            if upstream is not but and (most is None or len(upstream.subscribers.members) < most):
                return upstream
        after, plan = self._closing.get(key.closing_key), member.connection_plan
        upstream = Upstream(
            member.name,
            plan,
            member.params,
            member.values,
            self._services,
            make_session=self._make_session,
            after=after,
        )
        self._register(upstream, key)
        return upstream

    def _register(self, upstream: Upstream, key: UpstreamId) -> None:
        self._upstreams.setdefault(key, []).append(upstream)
        self._ids[upstream] = key

    def _unregister(self, upstream: Upstream) -> UpstreamId:
        key = self._ids.pop(upstream)
        self._upstreams[key].remove(upstream)
        if not self._upstreams[key]:
            del self._upstreams[key]
        return key

    def _left(self, upstream: Upstream) -> None:
        """End an upstream with its last channel; what its first declared, one that stays declares now."""
        if members := upstream.subscribers.members:
            first = members[0]
            upstream.update(first.connection_plan, first.params, first.values)
            return
        key = self._unregister(upstream)
        upstream.feed(CloseRequested())
        if (closing := upstream.attempts.closing) is not None:
            of = key.closing_key
            self._closing[of] = closing
            closing.add_done_callback(lambda done: self._closing.get(of) is done and self._closing.pop(of))


def _id(member: Member) -> UpstreamId:
    plan = member.plan
    return UpstreamId(plan.key(member.params, member.values), None if plan.share else member.name, plan.endpoint)


def _is_alone(upstream: Upstream) -> bool:
    return len(upstream.subscribers.members) == 1


def _is_crowded(upstream: Upstream, member: Member) -> bool:
    """Whether a channel has no room, since a reload allows fewer channels on one connection."""
    most = member.plan.most_channels if member.plan.share else None
    return most is not None and upstream.subscribers.members.index(member) >= most
