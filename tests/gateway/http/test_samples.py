"""The samples: the values of metrics, and counters that equal those of ``stats`` and never fall."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.daemon.scripted import Scripted, channel_plan, closed, scripted, status
from tests.examples import EXAMPLES
from tests.gateway.http.test_metrics import AddsStats, Labels, Samples, apply, scrape, value
from wscli.config.plan import ChannelPlan
from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.registry.template_channels import FORGET_AFTER
from wscli.errors import UnknownChannel
from wscli.gateway.http.metrics import expose
from wscli.tokens.models import TokenSource
from wscli.version import __version__


async def test_a_channel_is_connected_when_it_is_ready_and_in_one_state_at_a_time(it: Scripted) -> None:
    samples = scrape(it)
    assert value(samples, "wscli_connected", channel="news") == 1
    assert value(samples, "wscli_open_connections") == 1
    it.server.link.end(closed(1006))
    samples = scrape(it)
    assert value(samples, "wscli_connected", channel="news") == 0
    states = {state: value(samples, "wscli_channel_state", channel="news", state=state) for state in ChannelState}
    assert states == {state: float(state == "waiting") for state in ChannelState}
    assert value(samples, "wscli_channel_critical", channel="news") == 1


async def test_a_template_is_one_channel_that_sums_its_instances() -> None:
    async with scripted(channel_plan("rooms/{id}", linger=60.0)) as it:
        assert value(scrape(it), "wscli_messages_received_total", channel="rooms/{id}") == 0, "before there is one"
        for name in ("rooms/1", "rooms/2"):
            with it.manager.channel(name).use():
                await it.time.settle()
        for link in it.server.links:
            link.say("hello")
        it.manager.channel("rooms/2").counters.rtt = 0.5
        it.manager.channel("rooms/1").counters.rtt = 0.25
        it.manager.channel("rooms/1").readers = 3
        samples = scrape(it)
        assert not any("rooms/1" in dict(labels).values() for _, labels in samples)
        expected = {
            "wscli_connected": 2, "wscli_messages_received_total": 2, "wscli_received_bytes_total": 10,
            "wscli_history_messages": 2, "wscli_readers": 3, "wscli_ping_rtt_seconds": 0.5, "wscli_connects_total": 2,
        }  # fmt: skip
        assert {name: value(samples, name, channel="rooms/{id}") for name in expected} == expected


async def test_the_outbox_and_the_consumers_of_a_template_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(channel_plan("rooms/{id}", linger=60.0)) as it:
        samples = scrape(it)
        assert value(samples, "wscli_outbox_messages", channel="rooms/{id}", state="queued") == 0
        for number, name in enumerate(("rooms/1", "rooms/2"), start=1):
            channel = it.manager.channel(name)
            channel.outbox = {"queued": number, "expired": 1, "rejected": 0}
            monkeypatch.setattr(
                channel, "stats", lambda stats=channel.stats: {**stats(), "consumers": {"db": {"lag": 4}}}
            )
        samples = scrape(it)
        for state, count in (("queued", 3), ("expired", 2), ("rejected", 0)):
            assert value(samples, "wscli_outbox_messages", channel="rooms/{id}", state=state) == count
        assert value(samples, "wscli_consumer_lag", channel="rooms/{id}", consumer="db") == 8


async def test_rotations_are_not_counted_as_reconnections(it: Scripted) -> None:
    it.channel.counters.count_rotation()
    samples = scrape(it)
    assert value(samples, "wscli_rotations_total", channel="news") == 1
    assert value(samples, "wscli_reconnects_total", channel="news", reason="rotation") is None


async def test_a_round_trip_is_given_for_open_connections_only(it: Scripted) -> None:
    assert value(scrape(it), "wscli_ping_rtt_seconds", channel="news") is None
    await it.time.advance(25)
    assert value(scrape(it), "wscli_ping_rtt_seconds", channel="news") == 0.012
    it.server.link.end(closed(1006))
    assert value(scrape(it), "wscli_ping_rtt_seconds", channel="news") is None


async def test_attempts_to_connect_are_counted_and_the_last_message_has_its_time(it: Scripted) -> None:
    assert value(scrape(it), "wscli_last_message_timestamp_seconds", channel="news") is None
    it.server.link.say("hello")
    at = it.time.wall()
    it.server.refusals = [status(503)]
    it.server.link.end(closed(1006))
    await it.time.advance(10)
    samples = scrape(it)
    assert value(samples, "wscli_last_message_timestamp_seconds", channel="news") == at
    expected = {"dials": 3, "dial_failures": 1, "refusals": 1, "retries": 2, "closes": 1}
    assert {name: value(samples, f"wscli_{name}_total", channel="news") for name in expected} == expected


async def test_reconnections_and_gaps_are_counted_by_reason(it: Scripted) -> None:
    it.server.link.end(closed(1006))
    await it.time.advance(1.01)
    it.channel.restart()
    await it.time.advance(1.01)
    samples = scrape(it)
    for reason in ("close:1006", "redial"):
        assert value(samples, "wscli_reconnects_total", channel="news", reason=reason) == 1
    assert value(samples, "wscli_gaps_total", channel="news", reason="outage") == 2


async def test_tokens_have_an_expiry_in_wall_time_and_a_count_of_fetches(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret")
    session = TokenSource.model_validate({"file": str(tmp_path / "token"), "expires_in": "300s"})
    unused = TokenSource.model_validate({"env": "NOWHERE"})
    async with scripted(tokens={"session": session, "unused": unused}) as it:
        await it.manager.broker.get("session")
        samples = scrape(it)
        expiry = value(samples, "wscli_token_expiry_timestamp_seconds", token="session")
        assert expiry == it.time.wall() + 300
        assert value(samples, "wscli_token_fetches_total", token="session") == 1
        assert value(samples, "wscli_token_failures_total", token="session") == 0
        assert value(samples, "wscli_token_expiry_timestamp_seconds", token="unused") is None
        assert value(samples, "wscli_token_fetches_total", token="unused") == 0
        assert b"s3cret" not in expose(it.manager)[0]


async def test_the_manager_gives_its_versions_its_start_and_its_problems(it: Scripted) -> None:
    started = it.time.wall()
    await it.time.advance(10)
    it.manager.problems.state("gateway", "the address is in use")
    it.channel.problems.state("on_state", "exit code 1")
    samples = scrape(it)
    python = ".".join(map(str, sys.version_info[:3]))
    assert value(samples, "wscli_build_info", version=__version__, python=python) == 1
    assert value(samples, "wscli_start_time_seconds") == started
    assert value(samples, "wscli_problems") == 2


@pytest.mark.parametrize("gateway", [None, {"listen": ["127.0.0.1:8787"], "clients": 3, "refused": 1, "dropped": 2}])
async def test_the_gateway_has_samples_where_it_is_declared(gateway: dict[str, Any] | None, it: Scripted) -> None:
    it.manager.observe(AddsStats({"gateway": gateway}))
    samples = scrape(it)
    assert value(samples, "wscli_gateway_clients") == (gateway and 3)
    assert value(samples, "wscli_gateway_refused_total") == (gateway and 1)
    assert value(samples, "wscli_gateway_dropped_total") == (gateway and 2)


# in any order

ROOMS = channel_plan("rooms/{id}")
RENAMED = replace(channel_plan("rooms/{room}"), params=("room",))
DECLARED = (channel_plan("news"), channel_plan("calls", eager=False, critical=False), ROOMS)
NAMES = st.sampled_from(["news", "calls", "rooms/1", "rooms/2"])
COUNTED = {
    "wscli_messages_received_total": "received",
    "wscli_received_bytes_total": "received_bytes",
    "wscli_messages_sent_total": "sent",
    "wscli_sent_bytes_total": "sent_bytes",
    "wscli_connects_total": "connects",
}
Step = tuple[Callable[..., Any], Any]


def find(it: Scripted, name: str) -> Channel | None:
    try:
        return it.manager.channel(name)
    except UnknownChannel:
        return None  # a reload took it away


async def by_hand(it: Scripted, order: tuple[str, str]) -> None:
    what, name = order
    if channel := find(it, name):
        getattr(channel, what)()


async def use_and_send(it: Scripted, name: str) -> None:
    if (channel := find(it, name)) and channel.state is ChannelState.READY:
        await channel.send(b"hi there", binary=False, timeout=1.0)


async def say(it: Scripted, number: int) -> None:
    if it.server.links:
        it.server.links[number % len(it.server.links)].say("x" * number, "y")


async def end(it: Scripted, code: int) -> None:
    if it.server.links:
        it.server.links[code % len(it.server.links)].end(closed(code))


async def reload(it: Scripted, plans: tuple[ChannelPlan, ...]) -> None:
    apply(it, *plans)


async def wait(it: Scripted, seconds: float) -> None:
    await it.time.advance(seconds)


STEPS = st.one_of(
    st.tuples(st.just(by_hand), st.tuples(st.sampled_from(["start", "restart", "stop"]), NAMES)),
    st.tuples(st.just(use_and_send), NAMES),
    st.tuples(st.just(say), st.integers(0, 9)),
    st.tuples(st.just(end), st.sampled_from([1000, 1002, 1006, 4000])),
    st.tuples(st.just(reload), st.sampled_from([DECLARED, DECLARED[1:], (*DECLARED[:2], RENAMED), ()])),
    st.tuples(st.just(wait), st.sampled_from([1.0, 10.0, FORGET_AFTER])),
)


class ExpectedCounters:
    """What ``stats`` said of each channel, booked step by step under the name that the channel then went by."""

    def __init__(self) -> None:
        self.booked: Counter[tuple[str, Labels]] = Counter()
        self._seen: dict[Channel, dict[tuple[str, str], float]] = {}

    def book(self, it: Scripted) -> None:
        for channel in it.manager.channels():
            self._seen.setdefault(channel, {})
        for channel, before in self._seen.items():
            for (metric, reason), count in self._counts(channel).items():
                labels = {"channel": channel.plan.name, **({"reason": reason} if reason else {})}
                self.booked[metric, frozenset(labels.items())] += int(count - before.get((metric, reason), 0))
            self._seen[channel] = self._counts(channel)

    @staticmethod
    def _counts(channel: Channel) -> dict[tuple[str, str], float]:
        stats = channel.stats()
        counts: dict[tuple[str, str], float] = {(metric, ""): stats[key] for metric, key in COUNTED.items()}
        counts |= {("wscli_reconnects_total", reason): n for reason, n in stats["reconnects_by_reason"].items()}
        return counts | {("wscli_gaps_total", reason): n for reason, n in stats["gaps"].items()}


def counters_of(samples: Samples) -> Samples:
    ours = {*COUNTED, "wscli_reconnects_total", "wscli_gaps_total"}
    return {key: count for key, count in samples.items() if key[0] in ours and count}


async def live(steps: list[Step]) -> None:
    async with scripted(*DECLARED) as it:
        books, last = ExpectedCounters(), Samples()
        books.book(it)
        for step, argument in steps:
            await step(it, argument)
            books.book(it)
            await it.time.settle()
            books.book(it)
            samples = counters_of(scrape(it))
            assert samples == {key: count for key, count in books.booked.items() if count}
            assert all(samples[key] >= count for key, count in last.items()), "a counter fell"
            last = samples


@settings(max_examples=max(30, EXAMPLES // 50), deadline=None)
@given(st.lists(STEPS, max_size=12))
def test_the_counters_equal_those_of_stats_and_never_fall(steps: list[Step]) -> None:
    asyncio.run(live(steps))
