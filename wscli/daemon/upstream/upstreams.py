"""The registry of upstreams: there is one of a key, and it ends with its last subscription."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import suppress
from typing import NamedTuple

from wscli.config.dial_plan import UpstreamKey
from wscli.config.plan import UpstreamPlan
from wscli.core.events import CloseRequested
from wscli.daemon.upstream.members.member import Subscriber
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.session.prepared import OpenedSession, ReadyAtOnce
from wscli.daemon.upstream.subscription import Subscription
from wscli.daemon.upstream.upstream import ReloadEffect, Upstream
from wscli.errors import UnknownChannel

__all__ = ["UpstreamId", "Upstreams"]


class UpstreamId(NamedTuple):
    """What an upstream is registered by."""

    dial: UpstreamKey
    """How to connect, filled for the channel but for tokens."""
    channel: str | None
    """The one channel that it is for; None: it is shared by all channels that dial the same."""

    @property
    def closing_key(self) -> Hashable:
        """What must have closed its connection before another of it dials."""
        return self.channel or self.dial


class Upstreams:
    """Every upstream of a manager."""

    def __init__(self, services: Services, make_session: Callable[[], OpenedSession] = ReadyAtOnce) -> None:
        self._services = services
        self._make_session = make_session
        self._upstreams: dict[UpstreamId, Upstream] = {}
        self._ids: dict[Upstream, UpstreamId] = {}
        self._closing: dict[Hashable, asyncio.Task[None]] = {}
        """Closes of upstreams that ended, while they are under way."""

    def __len__(self) -> int:
        return len(self._upstreams)

    def __iter__(self) -> Iterator[Upstream]:
        return iter(self._upstreams.values())

    def subscribe(
        self, name: str, plan: UpstreamPlan, params: Mapping[str, str], subscriber: Subscriber
    ) -> Subscription:
        """Give a channel its subscription; the upstream is made where there is none yet.

        Raises:
            UnknownChannel: a parameter of the channel's name does not fit its dial.

        """
        try:
            key = _id(name, plan, params)
        except ValueError as error:
            raise UnknownChannel(f"invalid channel name {name!r}: {error}") from None
        return Subscription(self._find(key, name, plan, params), subscriber)

    def update(
        self,
        name: str,
        subscription: Subscription,
        plan: UpstreamPlan,
        params: Mapping[str, str],
        *,
        tokens_changed: bool,
    ) -> ReloadEffect:
        """Apply another plan of a channel, and say whether that redials, or rotates.

        An upstream of this channel alone stays, and dials otherwise. A channel that shares its upstream leaves that to
        the others and goes on with another.
        """
        upstream = subscription.upstream
        old = new = self._ids[upstream]
        with suppress(ValueError):  # its next dial fails, and says why
            new = _id(name, plan, params)
        if new == old or (len(upstream.subscribers.members) == 1 and new not in self._upstreams):
            self._upstreams[new] = self._upstreams.pop(old)
            self._ids[upstream] = new
            return upstream.update(plan, params, tokens_changed=tokens_changed)
        moved = subscription.move(self._find(new, name, plan, params), "the configuration changed")
        self._drop_unused(upstream)
        return "restarted" if moved else "updated"

    def remove(self, subscription: Subscription) -> None:
        """Take a closed channel's subscription back."""
        subscription.cancel()
        self._drop_unused(subscription.upstream)

    def addresses(self) -> set[str]:
        """Give the IP addresses that were dialled last."""
        return {address for upstream in self for address in upstream.destination.addresses}

    def network_changed(self) -> None:
        """Have every upstream look whether a route leads to its server, and ping if it is open."""
        reachable, source = functools.cache(self._services.reachable), functools.cache(self._services.source)
        for upstream in tuple(self):
            upstream.network_changed(reachable, source)

    async def closed(self) -> None:
        """Wait until no connection is being closed any more."""
        closing = (*self._closing.values(), *(one.attempts.closing for one in self))
        if tasks := [task for task in closing if task is not None]:
            await asyncio.wait(tasks)

    def _find(self, key: UpstreamId, name: str, plan: UpstreamPlan, params: Mapping[str, str]) -> Upstream:
        upstream = self._upstreams.get(key)
        if upstream is None:
            after = self._closing.get(key.closing_key)
            upstream = Upstream(name, plan, params, self._services, session=self._make_session(), after=after)
            self._upstreams[key], self._ids[upstream] = upstream, key
        return upstream

    def _drop_unused(self, upstream: Upstream) -> None:
        if upstream.subscribers.members:
            return
        key = self._ids.pop(upstream)
        del self._upstreams[key]
        upstream.feed(CloseRequested())
        if (closing := upstream.attempts.closing) is not None:
            of = key.closing_key
            self._closing[of] = closing
            closing.add_done_callback(lambda done: self._closing.get(of) is done and self._closing.pop(of))


def _id(name: str, plan: UpstreamPlan, params: Mapping[str, str]) -> UpstreamId:
    return UpstreamId(plan.key(params), None if plan.share else name)
