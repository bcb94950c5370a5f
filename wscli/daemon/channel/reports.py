"""The ``status`` and ``stats`` objects of a channel: scripts rely on their keys, which are never removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wscli.config.plan import ChannelPlan
from wscli.control.messages import ChannelStats, Lag, Status
from wscli.core.states import ChannelState, Snapshot
from wscli.daemon.channel.announcer import Announcer
from wscli.daemon.channel.counters import Counters
from wscli.daemon.channel.own_clients import OwnClients
from wscli.daemon.channel.state import StateTracker
from wscli.daemon.upstream.sharing.subscription import Subscription
from wscli.history.memory import History
from wscli.problems import Problems
from wscli.transport.connection import Connection

__all__ = ["channel_stats", "channel_status"]


_OPENING = (ChannelState.CONNECTING, ChannelState.HANDSHAKING)
_BY_HAND = (ChannelState.PAUSED, ChannelState.STOPPED)


class ReportedChannel(Protocol):
    """What the reports read of a channel."""

    name: str
    plan: ChannelPlan
    since: float
    readers: int
    counters: Counters
    history: History
    announcer: Announcer
    problems: Problems
    subscription: Subscription
    tracker: StateTracker
    hook_stats: dict[str, Callable[[], dict[str, int]]]
    outbox: dict[str, int]
    own: OwnClients

    @property
    def snapshot(self) -> Snapshot:
        """Its state, with its reason and what happens next."""

    @property
    def connection(self) -> Connection | None:
        """The open connection, while the channel is ready."""


def channel_status(channel: ReportedChannel, now: float) -> Status:
    """The object of ``status --json``; times are seconds since the epoch, ``now`` as well."""
    snapshot, attempt = channel.snapshot, channel.subscription.last_attempt
    text, at = snapshot.reason.text, snapshot.next.at
    if snapshot.state is ChannelState.CONNECTING and attempt is not None and attempt.place is not None:
        endpoint = channel.plan.upstream.endpoint
        text = f"place {attempt.place.ahead + 1} in the connect budget of endpoint {endpoint!r}"
        if (held := attempt.place.held) is not None:
            text, at = f"endpoint {endpoint!r} is held back: {held[1]}; {text}", now + held[0]
    failure = snapshot.failure
    if snapshot.state in _OPENING and failure is not None and failure.text not in text:
        text = f"{text}; last attempt: {failure.text}"
    own = len(channel.own)
    if (own or channel.plan.clients.own) and snapshot.state not in _BY_HAND:  # closed by hand, it takes no clients
        own_text = {0: "each client gets an upstream of its own", 1: "a client has an upstream of its own"}
        text = f"{text}; {own_text.get(own, f'{own} clients have upstreams of their own')}"
    return {
        "channel": channel.name,
        "state": str(snapshot.state),
        "since": channel.since,
        "reason": {"code": snapshot.reason.code, "text": text},
        "next": {"action": _next_action(channel), "at": at},
        "critical": channel.plan.critical,
        "attempt": 0 if channel.subscription.healthy and channel.connection is not None else snapshot.attempt,
        "last_message_at": channel.counters.last_message_at,
        "consumers": _consumers(channel),
        "clients": {"upstream": "own" if channel.plan.clients.own else "shared", "own": len(channel.own)},
        "problems": channel.problems.texts(),
    }


def _next_action(channel: ReportedChannel) -> str:
    """Give what happens next; a refused subscription is tried again on the connection that is ready."""
    action, own = channel.snapshot.next.action, channel.tracker.own.state
    return "subscribe" if action == "retry" and own in (ChannelState.WAITING, ChannelState.FAILED) else action


def channel_stats(channel: ReportedChannel, now: float) -> ChannelStats:
    """The channel's part of ``stats --json``; counts since the manager started, ``now`` on the wall clock."""
    snapshot, connection, successor = channel.snapshot, channel.connection, channel.subscription.successor
    at = snapshot.next.at if snapshot.next.action == "retry" else None
    return {
        "state": str(snapshot.state),
        "since": channel.since,
        "critical": channel.plan.critical,
        **channel.counters.as_dict(),
        "readers": channel.readers,
        "history": {"first": channel.history.first, "last": channel.history.last},
        "store": channel.plan.history.store,
        "committed": channel.history.committed,
        "consumers": _consumers(channel),
        "retry_in_s": None if at is None else max(0.0, round(at - now, 3)),
        "transport": connection.adapter if connection is not None else None,
        "successor": None if successor is None else {"state": successor[0], "since": successor[1]},
        "short_outages": channel.announcer.quiet_outages,
        "hooks": {name: counted() for name, counted in channel.hook_stats.items()},
        "outbox": dict(channel.outbox),
        "gaps": channel.history.gaps,
        "own": channel.own.stats(),
        "problems": channel.problems.texts(),
    }


def _consumers(channel: ReportedChannel) -> dict[str, Lag]:
    named = channel.history.consumers
    return {
        one.name: {"seq": one.position.seq, "lag": one.lag, "held_by": one.held_by}
        for one in (named.list() if named is not None else ())
    }
