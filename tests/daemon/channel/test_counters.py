"""What is counted of a channel: why it was connected again, and totals that no forgotten channel takes away."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.daemon.scripted import REFUSED, Scripted, channel_plan, closed, scripted, status
from tests.daemon.scripted_session import RETRY, two
from wscli.config.plan import ChannelPlan
from wscli.daemon.channel.counters import MAX_REASONS, OTHER, Counters
from wscli.daemon.registry.template_channels import FORGET_AFTER
from wscli.history.limits import HistoryLimits


def by_reason(it: Scripted, name: str = "news") -> dict[str, int]:
    stats = it.manager.stats([name])["channels"][name]
    assert stats["reconnects"] == sum(stats["reconnects_by_reason"].values()) == stats["connects"] - 1
    json.dumps(stats)
    return dict(stats["reconnects_by_reason"])


def apply(it: Scripted, *plans: ChannelPlan) -> None:
    it.manager.apply(replace(it.manager.plan, channels={plan.name: plan for plan in plans}))


async def test_an_end_is_counted_under_its_code_once_the_next_connection_opens(it: Scripted) -> None:
    it.server.link.end(closed(1006))
    await it.time.settle()
    assert by_reason(it) == {}
    await it.time.advance(1.01)
    assert by_reason(it) == {"close:1006": 1}
    it.server.link.end(closed(4000))
    await it.time.advance(3)
    assert by_reason(it) == {"close:1006": 1, "close:4000": 1}


async def test_failed_dials_between_two_connections_do_not_hide_why_the_first_ended(it: Scripted) -> None:
    it.server.refusals = [closed(1013), closed(1013)]
    it.server.link.end(closed(1006))
    await it.time.advance(10)
    assert by_reason(it) == {"close:1006": 1}


async def test_a_dead_connection_is_counted_as_one_that_gave_no_pong(it: Scripted) -> None:
    it.server.link.deaf = True
    await it.time.advance(32)
    assert by_reason(it) == {"keepalive:1006": 1}


@pytest.mark.parametrize(
    ("steps", "reason"), [("restart", "redial"), ("stop start", "by_hand"), ("pause resume", "by_hand")]
)
async def test_a_connection_that_we_left_is_counted_under_our_own_reason(it: Scripted, steps: str, reason: str) -> None:
    for step in steps.split():
        getattr(it.channel, step)()
        await it.time.advance(1)
    assert by_reason(it) == {reason: 1}


async def test_a_lazy_channel_that_is_used_again_is_counted_as_unused_before() -> None:
    async with scripted(channel_plan(eager=False)) as it:
        for _ in range(2):
            await it.use_once()
            await it.time.advance(1)
        assert by_reason(it) == {"unused": 1}


async def test_a_connection_that_ended_for_good_keeps_the_servers_code_when_it_is_started_again(it: Scripted) -> None:
    it.server.link.end(closed(1002))
    await it.time.settle()
    it.channel.start()
    await it.time.settle()
    assert by_reason(it) == {"close:1002": 1}


async def test_attempts_refusals_waits_and_ends_are_counted(it: Scripted) -> None:
    it.server.refusals = [status(503), REFUSED]
    it.server.link.end(closed(1006))
    await it.time.advance(10)
    expected = {"dials": 4, "dial_failures": 2, "refusals": 1, "retries": 3, "closes": 1}
    stats = it.channel.stats()
    assert {key: stats[key] for key in expected} == expected  # type: ignore[literal-required]
    assert it.manager.totals.of("news").dials == it.channel.counters.dials
    it.channel.stop()
    await it.time.settle()
    assert (it.channel.stats()["closes"], it.manager.totals.of("news").closes) == (2, 2)


def test_reasons_are_bounded_whatever_codes_a_server_invents() -> None:
    counters = Counters()
    counters.count_connection()
    for code in range(4000, 4100):
        counters.count_end(closed(code), f"close:{code}")
        counters.count_connection()
    counters.count_end(closed(4000), "close:4000")
    counters.count_connection()
    assert len(counters.reconnects) == MAX_REASONS + 1
    assert counters.reconnects["close:4000"] == 2
    assert counters.reconnects[OTHER] == 100 - MAX_REASONS
    assert counters.as_dict()["reconnects"] == 101


async def test_the_totals_of_a_template_outlive_its_instances() -> None:
    async with scripted(channel_plan("rooms/{id}")) as it:
        for name in ("rooms/1", "rooms/2"):
            with it.manager.channel(name).use():
                await it.time.settle()
                it.server.link.say("hello", "world")
                await it.manager.channel(name).send(b"hi", binary=False, timeout=1)
            await it.time.advance(2)
        total = it.manager.totals.of("rooms/{id}")
        assert (total.received, total.received_bytes, total.sent, total.sent_bytes, total.connects) == (4, 20, 2, 4, 2)
        await it.time.advance(FORGET_AFTER)
        assert it.manager.channels() == []
        with it.manager.channel("rooms/1").use():
            await it.time.settle()
        assert (total.received, total.connects, total.reconnects) == (4, 3, {})


async def test_the_totals_outlive_a_removal_and_each_name_keeps_what_came_under_it() -> None:
    plan, other = channel_plan("rooms/{id}"), replace(channel_plan("rooms/{room}"), params=("room",))
    async with scripted(plan) as it:
        with it.manager.channel("rooms/1").use():
            await it.time.settle()
            it.server.link.say("hello")
            apply(it, other)  # the same channel, under another name
            await it.time.advance(2)
            it.server.link.say("hello", "again")
        assert it.manager.channel("rooms/1").counters.received == 3
        assert [it.manager.totals.of(one.name).received for one in (plan, other)] == [1, 2]
        apply(it)
        await it.time.settle()
        assert [it.manager.totals.of(one.name).received for one in (plan, other)] == [1, 2]


async def test_gaps_are_counted_as_the_history_counts_them() -> None:
    async with scripted(channel_plan(history=HistoryLimits(keep=1))) as it:
        it.server.link.end(closed(1006))
        await it.time.advance(2)
        it.channel.pause()
        await it.time.advance(2)
        it.channel.resume()
        await it.time.advance(2)
        assert it.channel.counters.gaps == it.channel.history.gaps == {"outage": 1, "paused": 1}
        assert it.manager.totals.of("news").gaps == {"outage": 1, "paused": 1}


async def test_a_subscription_that_is_refused_on_a_shared_connection_is_counted_apart_from_its_ends() -> None:
    async with two() as (it, news, calls, sessions):
        sessions.last.refuse("news", RETRY)
        await it.time.settle()
        assert [one.counters.subscription_ends for one in (news, calls)] == [1, 0]
        assert it.manager.totals.of("news").subscription_ends == 1
        assert news.status()["next"]["action"] == "subscribe"
        assert calls.status()["next"]["action"] == "none"
