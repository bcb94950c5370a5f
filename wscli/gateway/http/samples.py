"""The metrics that monitoring systems read, and their samples; docs/metrics.md explains each metric.

All channels of a template are one label value: each filled name (a room, a user) would make a series of its own.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import Literal, NamedTuple

from wscli.control.messages import ChannelStats, TokenStats
from wscli.core.states import ChannelState
from wscli.daemon.channel.counters import OwnCount
from wscli.daemon.registry.manager import Manager
from wscli.version import __version__

__all__ = ["METRICS", "Metric", "Sample", "measure"]


class Metric(NamedTuple):
    """A metric: its kind, the text of its ``# HELP`` line, and the names of its labels."""

    kind: Literal["counter", "gauge", "info"]
    help: str
    labels: tuple[str, ...] = ()


_CHANNEL = ("channel",)
_REASON = ("channel", "reason")
_TOKEN = ("token",)

METRICS: dict[str, Metric] = {
    "wscli_build_info": Metric("info", "The versions of wscli and Python.", ("version", "python")),
    "wscli_start_time_seconds": Metric("gauge", "When the manager started, in seconds since the epoch."),
    "wscli_problems": Metric("gauge", "Problems besides the channels' states, as status lists them."),
    "wscli_open_connections": Metric("gauge", "Connections that are open, or still being closed."),
    "wscli_unrouted_messages_total": Metric("counter", "Received messages that no channel's route fits."),
    "wscli_connected": Metric("gauge", "Whether the channel is ready; for a template, how many are.", _CHANNEL),
    "wscli_channel_state": Metric("gauge", "Channels of the name that are in the state.", ("channel", "state")),
    "wscli_channel_critical": Metric("gauge", "Whether the channel is declared critical.", _CHANNEL),
    "wscli_messages_received_total": Metric("counter", "Received messages.", _CHANNEL),
    "wscli_received_bytes_total": Metric("counter", "Bytes of the received messages.", _CHANNEL),
    "wscli_messages_sent_total": Metric("counter", "Sent messages.", _CHANNEL),
    "wscli_sent_bytes_total": Metric("counter", "Bytes of the sent messages.", _CHANNEL),
    "wscli_connects_total": Metric("counter", "Opened connections.", _CHANNEL),
    "wscli_reconnects_total": Metric(
        "counter", "Connections opened after an earlier one, by the reason for which that one ended.", _REASON
    ),
    "wscli_dials_total": Metric("counter", "Attempts to connect.", _CHANNEL),
    "wscli_dial_failures_total": Metric("counter", "Attempts that failed before the connection was open.", _CHANNEL),
    "wscli_refusals_total": Metric("counter", "Attempts that were answered with another HTTP status.", _CHANNEL),
    "wscli_retries_total": Metric("counter", "Waits before another attempt.", _CHANNEL),
    "wscli_closes_total": Metric("counter", "Connections that ended.", _CHANNEL),
    "wscli_subscription_ends_total": Metric(
        "counter", "Subscriptions that were refused or ended while a shared connection went on.", _CHANNEL
    ),
    "wscli_rotations_total": Metric("counter", "Connections that replaced an open one.", _CHANNEL),
    "wscli_gaps_total": Metric("counter", "Gaps in which messages may have been missed.", _REASON),
    "wscli_ping_rtt_seconds": Metric(
        "gauge", "The latest round trip of a ping; for a template, the longest.", _CHANNEL
    ),
    "wscli_last_message_timestamp_seconds": Metric(
        "gauge", "When the last message arrived, in seconds since the epoch.", _CHANNEL
    ),
    "wscli_readers": Metric("gauge", "Attached readers.", _CHANNEL),
    "wscli_own_clients": Metric("gauge", "Clients that have an upstream of their own.", _CHANNEL),
    "wscli_own_upstreams_total": Metric("counter", "Upstreams of their own that clients asked for.", _CHANNEL),
    "wscli_own_refused_total": Metric("counter", "Those of them that clients did not get.", _CHANNEL),
    "wscli_own_messages_received_total": Metric("counter", "Messages received over own upstreams.", _CHANNEL),
    "wscli_own_messages_sent_total": Metric("counter", "Messages sent over own upstreams.", _CHANNEL),
    "wscli_history_messages": Metric("gauge", "Messages in the history.", _CHANNEL),
    "wscli_consumer_lag": Metric(
        "gauge", "Messages on disk that the consumer has not acknowledged.", ("channel", "consumer")
    ),
    "wscli_outbox_messages": Metric("gauge", "Messages in the outbox, by state.", ("channel", "state")),
    "wscli_token_expiry_timestamp_seconds": Metric(
        "gauge", "When the present token expires, in seconds since the epoch.", _TOKEN
    ),
    "wscli_token_fetches_total": Metric("counter", "Fetches of the token.", _TOKEN),
    "wscli_token_failures_total": Metric("counter", "Fetches of the token that failed.", _TOKEN),
    "wscli_gateway_clients": Metric("gauge", "Connected clients of the gateway."),
    "wscli_gateway_refused_total": Metric("counter", "Refused clients of the gateway."),
    "wscli_gateway_dropped_total": Metric("counter", "Clients that answered no ping, or took nothing in time."),
}


_OWN: dict[str, OwnCount] = {
    "wscli_own_upstreams_total": "total",
    "wscli_own_refused_total": "refused",
    "wscli_own_messages_received_total": "received",
    "wscli_own_messages_sent_total": "sent",
}


class Sample(NamedTuple):
    """A value, with its labels in the order of ``METRICS``."""

    metric: str
    labels: tuple[str, ...]
    value: float


def measure(manager: Manager) -> Iterator[Sample]:
    """Give all samples, as of now."""
    stats = manager.stats()
    channels = stats["channels"]
    yield Sample("wscli_build_info", (__version__, platform.python_version()), 1)
    yield Sample("wscli_start_time_seconds", (), round(manager.started_at, 3))
    problems = len(stats["problems"]) + sum(len(one["problems"]) for one in channels.values())
    yield Sample("wscli_problems", (), problems)
    yield Sample("wscli_open_connections", (), stats["connections"]["active"])
    yield Sample("wscli_unrouted_messages_total", (), stats["connections"]["unrouted"])
    yield from _gauges(manager, channels)
    yield from _counters(manager)
    yield from _tokens(stats["tokens"], manager.clock.wall())
    if gateway := stats.get("gateway"):
        yield Sample("wscli_gateway_clients", (), gateway["clients"])
        yield Sample("wscli_gateway_refused_total", (), gateway["refused"])
        yield Sample("wscli_gateway_dropped_total", (), gateway["dropped"])


def _gauges(manager: Manager, stats: dict[str, ChannelStats]) -> Iterator[Sample]:
    """Give the gauges of every declared channel and template."""
    critical = {name: plan.critical for name, plan in manager.plan.channels.items()}
    by_name: dict[str, list[ChannelStats]] = {name: [] for name in critical}
    for channel in manager.channels():
        by_name[channel.plan.name].append(stats[channel.name])
    for name, all_of_it in by_name.items():
        ready = [one for one in all_of_it if one["state"] == ChannelState.READY]
        yield Sample("wscli_connected", (name,), len(ready))
        for state in ChannelState:
            yield Sample("wscli_channel_state", (name, state), sum(one["state"] == state for one in all_of_it))
        yield Sample("wscli_channel_critical", (name,), critical[name])
        measured = [one["rtt_s"] for one in ready if one["rtt_s"] is not None]
        if measured:
            yield Sample("wscli_ping_rtt_seconds", (name,), max(measured))
        heard = [one["last_message_at"] for one in all_of_it if one["last_message_at"] is not None]
        if heard:
            yield Sample("wscli_last_message_timestamp_seconds", (name,), round(max(heard), 3))
        yield Sample("wscli_readers", (name,), sum(one["readers"] for one in all_of_it))
        yield Sample("wscli_own_clients", (name,), sum(one["own"]["clients"] for one in all_of_it))
        kept = sum(one["history"]["last"] - one["history"]["first"] + 1 for one in all_of_it)
        yield Sample("wscli_history_messages", (name,), kept)
        for kind in ("queued", "expired", "rejected"):
            yield Sample("wscli_outbox_messages", (name, kind), sum(one["outbox"][kind] for one in all_of_it))
        for consumer in sorted({consumer for one in all_of_it for consumer in one["consumers"]}):
            held = [one["consumers"][consumer]["lag"] for one in all_of_it if consumer in one["consumers"]]
            yield Sample("wscli_consumer_lag", (name, consumer), sum(held))


def _counters(manager: Manager) -> Iterator[Sample]:
    """Give the counters, which do not fall when a channel is removed."""
    for name in manager.plan.channels:
        manager.totals.of(name)  # shown as 0 before a template's first channel
    for name, total in manager.totals.all().items():
        yield Sample("wscli_messages_received_total", (name,), total.received)
        yield Sample("wscli_received_bytes_total", (name,), total.received_bytes)
        yield Sample("wscli_messages_sent_total", (name,), total.sent)
        yield Sample("wscli_sent_bytes_total", (name,), total.sent_bytes)
        yield Sample("wscli_connects_total", (name,), total.connects)
        for what, count in total.dials.items():
            yield Sample(f"wscli_{what}_total", (name,), count)
        for metric, own in _OWN.items():
            yield Sample(metric, (name,), total.own[own])
        yield Sample("wscli_closes_total", (name,), total.closes)
        yield Sample("wscli_subscription_ends_total", (name,), total.subscription_ends)
        yield Sample("wscli_rotations_total", (name,), total.rotations)
        for reason, count in total.reconnects.items():
            yield Sample("wscli_reconnects_total", (name, reason), count)
        for reason, count in total.gaps.items():
            yield Sample("wscli_gaps_total", (name, reason), count)


def _tokens(stats: dict[str, TokenStats], now: float) -> Iterator[Sample]:
    """Give the samples of every token source; the expiry only of a token that expires."""
    for name, one in stats.items():
        if one["expires_in_s"] is not None:
            yield Sample("wscli_token_expiry_timestamp_seconds", (name,), round(now + one["expires_in_s"], 3))
        yield Sample("wscli_token_fetches_total", (name,), one["fetches"])
        yield Sample("wscli_token_failures_total", (name,), one["failures"])
