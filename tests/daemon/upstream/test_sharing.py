"""Two channels on one upstream: one connection, and nothing that is done to one channel reaches the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.daemon.scripted import Scripted, changed, channel_plan, closed, scripted, status
from wscli.config.models.upstream import Rotate
from wscli.config.plan import ChannelPlan
from wscli.core.backoff import BackoffPolicy
from wscli.core.states import ChannelState as S
from wscli.core.verdicts import parse_verdicts
from wscli.daemon.channel.channel import Channel
from wscli.daemon.upstream.refs import Referring
from wscli.errors import ChannelUnavailable
from wscli.session.plan import SessionPlan
from wscli.templates import compile_json, compile_path
from wscli.values import Secret


def shared(name: str, **changes: Any) -> ChannelPlan:
    return channel_plan(name, **{"path": compile_path("/all"), "share": True, **changes})


@asynccontextmanager
async def two(**changes: Any) -> AsyncIterator[tuple[Scripted, Channel, Channel]]:
    """A manager of the channels ``news`` and ``calls``, which share an upstream."""
    async with scripted(shared("news", **changes), shared("calls", **changes)) as it:
        yield it, it.channel, it.manager.channel("calls")


def reload(it: Scripted, **changes: Any) -> None:
    """Apply the same changes to both."""
    plans = {name: changed(plan, **changes) for name, plan in it.manager.plan.channels.items()}
    it.manager.apply(replace(it.manager.plan, channels=plans))


async def test_both_are_ready_and_receive_over_one_connection() -> None:
    async with two() as (it, news, calls):
        assert (news.state, calls.state, len(it.server.dials)) == (S.READY, S.READY, 1)
        it.server.link.say("one", "two")
        assert (news.history.last, calls.history.last) == (2, 2)
        assert it.manager.stats()["connections"] == {"active": 1, "total": 1, "successors": 0, "unrouted": 0}


async def test_each_sends_and_counts_what_it_sent() -> None:
    async with two() as (it, news, calls):
        await news.send(b"a", binary=False, timeout=1)
        await calls.send(b"bc", binary=False, timeout=1)
        assert it.server.link.sent == [(b"a", False), (b"bc", False)]
        assert (news.counters.sent_bytes, calls.counters.sent_bytes) == (1, 2)


async def test_references_are_counted_once_for_both() -> None:
    async with two() as (_, news, calls):
        message = Referring("{ref.int}")
        assert [message.fill(channel.subscription.refs)[0] for channel in (news, calls, news)] == [1, 2, 3]


@pytest.mark.parametrize(("hold", "release"), [("pause", "resume"), ("stop", "start")])
async def test_one_that_is_held_by_hand_misses_messages_alone_and_needs_no_dial_to_return(
    hold: str, release: str
) -> None:
    async with two() as (it, news, calls):
        getattr(news, hold)()
        await it.time.settle()
        assert (calls.state, len(it.server.links)) == (S.READY, 1)
        it.server.link.say("missed by news")
        with pytest.raises(ChannelUnavailable):
            await news.send(b"x", binary=False, timeout=1)
        getattr(news, release)()
        assert news.state is S.READY
        it.server.link.say("for both")
        assert (news.history.last, calls.history.last, len(it.server.dials)) == (1, 2, 1)
        assert (news.counters.gaps, calls.counters.gaps) == ({"paused": 1}, {})
        assert (news.stats()["connects"], news.stats()["reconnects"]) == (2, 1)


async def test_the_upstream_closes_once_neither_wants_it_and_opens_for_the_first_that_does() -> None:
    async with two() as (it, news, calls):
        news.stop()
        calls.pause()
        await it.time.settle()
        assert it.server.links == []
        assert it.manager.stats()["connections"]["active"] == 0
        calls.resume()
        await it.time.settle()
        assert (news.state, calls.state, len(it.server.dials)) == (S.STOPPED, S.READY, 2)


async def test_one_that_is_removed_leaves_the_connection_to_the_other_and_takes_it_along_as_the_last() -> None:
    async with two() as (it, news, calls):
        it.manager.apply(replace(it.manager.plan, channels={"calls": calls.plan}))
        await it.time.settle()
        it.server.link.say("one")
        assert (news.history.last, calls.history.last) == (0, 1)
        it.manager.apply(replace(it.manager.plan, channels={}))
        await it.time.settle()
        assert it.server.links == []
        assert it.manager.stats()["connections"]["total"] == 0


async def test_reading_is_paused_only_while_both_hold_it_back() -> None:
    async with two() as (it, news, calls):
        link = it.server.link
        news.subscription.hold(True)
        assert link.reading
        calls.subscription.hold(True)
        assert not link.reading
        news.subscription.hold(False)
        assert link.reading
        news.subscription.hold(True)
        calls.stop()
        assert not link.reading, "the other one is not there to read on for"
        calls.start()
        assert link.reading


async def test_a_reconnection_gives_each_a_gap_of_its_own_and_counts_one_dial() -> None:
    async with two() as (it, news, calls):
        it.server.link.say("one")
        it.server.link.end(closed(1006))
        assert (news.state, calls.state) == (S.WAITING, S.WAITING)
        assert news.status()["reason"] == calls.status()["reason"]
        await it.time.advance(1.01)
        assert (news.state, calls.state, len(it.server.dials)) == (S.READY, S.READY, 2)
        assert (news.counters.gaps, calls.counters.gaps) == ({"outage": 1}, {"outage": 1})
        assert (news.counters.reconnects, calls.counters.reconnects) == ({"close:1006": 1}, {"close:1006": 1})


async def test_a_gap_of_one_that_was_paused_in_an_outage_is_its_own() -> None:
    async with two() as (it, news, calls):
        news.pause()
        it.server.link.end(closed(1006))
        await it.time.advance(60)
        assert (news.counters.gaps, calls.counters.gaps) == ({}, {"outage": 1})
        news.resume()
        assert news.counters.gaps == {"paused": 1}


async def test_a_rotation_moves_both_without_a_gap() -> None:
    async with two(rotate=Rotate(max_age=3600.0)) as (it, news, calls):
        await it.time.advance(3602)
        assert (len(it.server.dials), len(it.server.links)) == (2, 1)
        assert (news.stats()["rotations"], calls.stats()["rotations"]) == (1, 1)
        assert (news.counters.gaps, calls.counters.gaps) == ({}, {})


async def test_a_verdict_on_the_connection_fails_both_and_one_start_opens_it_for_both() -> None:
    async with two(verdicts=(parse_verdicts({"4000": "stop"}),)) as (it, news, calls):
        it.server.link.end(closed(4000))
        assert (news.state, calls.state) == (S.FAILED, S.FAILED)
        calls.stop()
        news.start()
        await it.time.settle()
        assert (news.state, calls.state) == (S.READY, S.STOPPED)


async def test_a_lazy_channel_that_is_not_in_use_is_not_opened_for_the_other() -> None:
    async with two(eager=False) as (it, news, calls):
        it.server.always = status(410)
        with news.use(), calls.use():
            await it.time.advance(5)
        await it.time.advance(1)
        assert (news.state, calls.state) == (S.FAILED, S.FAILED)
        it.server.always = None
        news.start()
        await it.time.settle()
        assert (news.state, calls.state) == (S.READY, S.IDLE)
        with calls.use():
            assert calls.state is S.READY
        await it.time.advance(1)
        assert (news.state, calls.state, len(it.server.links)) == (S.READY, S.IDLE, 1)


async def test_a_reload_that_sends_one_elsewhere_leaves_the_connection_to_the_other() -> None:
    async with two() as (it, news, calls):
        elsewhere = changed(news.plan, url=Secret("ws://192.0.2.2/ws"))
        report = it.manager.apply(replace(it.manager.plan, channels={"news": elsewhere, "calls": calls.plan}))
        await it.time.settle()
        assert (report["restarted"], report["kept"]) == (["news"], ["calls"])
        assert (news.state, calls.state) == (S.READY, S.READY)
        assert sorted(link.target.url for link in it.server.links) == ["ws://192.0.2.1/ws/all", "ws://192.0.2.2/ws/all"]
        assert it.manager.stats()["connections"]["total"] == 2


async def test_a_reload_that_sends_both_elsewhere_has_them_share_there() -> None:
    async with two() as (it, news, calls):
        reload(it, url=Secret("ws://192.0.2.2/ws"))
        await it.time.settle()
        assert (news.state, calls.state) == (S.READY, S.READY)
        assert it.server.link.target.url == "ws://192.0.2.2/ws/all"
        assert (news.counters.gaps, calls.counters.gaps) == ({"outage": 1}, {"outage": 1})
        assert it.manager.stats()["connections"]["total"] == 1


async def test_a_reload_that_sends_one_to_a_ready_upstream_gives_it_a_gap_and_no_dial() -> None:
    async with scripted(shared("news"), shared("calls", url=Secret("ws://192.0.2.2/ws"))) as it:
        news, calls = it.manager.channel("news"), it.manager.channel("calls")
        elsewhere = changed(news.plan, url=Secret("ws://192.0.2.2/ws"))
        it.manager.apply(replace(it.manager.plan, channels={"news": elsewhere, "calls": calls.plan}))
        await it.time.settle()
        assert (news.state, calls.state, len(it.server.dials)) == (S.READY, S.READY, 2)
        assert (news.counters.gaps, calls.counters.gaps) == ({"outage": 1}, {})
        it.server.link.say("for both")
        assert (news.history.last, calls.history.last) == (1, 1)


async def test_channels_that_dial_the_same_and_do_not_share_have_a_connection_each() -> None:
    async with two(share=False) as (it, news, calls):
        assert (news.state, calls.state, len(it.server.links)) == (S.READY, S.READY, 2)
        assert it.manager.stats()["connections"]["total"] == 2


def rooms(count: int, most: int | None) -> list[ChannelPlan]:
    return [shared(f"room{number}", most_channels=most) for number in range(count)]


def sizes(it: Scripted) -> list[int]:
    upstreams = {id(one.subscription.upstream): one.subscription.upstream for one in it.manager.channels()}
    return [len(one.subscribers.members) for one in upstreams.values()]


async def test_a_limited_number_of_channels_share_each_connection_and_one_goes_to_the_first_with_room() -> None:
    async with scripted(*rooms(5, most=2)) as it:
        assert (sizes(it), len(it.server.links)) == ([2, 2, 1], 3)
        assert it.manager.stats()["connections"]["total"] == 3
        plans = dict(it.manager.plan.channels)
        del plans["room0"]
        it.manager.apply(replace(it.manager.plan, channels=plans))
        it.manager.apply(replace(it.manager.plan, channels={**plans, "late": shared("late", most_channels=2)}))
        assert sizes(it) == [2, 2, 1]
        assert {one.state for one in it.manager.channels()} == {S.READY}


async def test_a_reload_of_the_limit_moves_those_that_have_no_room_and_no_other() -> None:
    async with scripted(*rooms(4, most=None)) as it:
        assert sizes(it) == [4]
        plans = {plan.name: plan for plan in rooms(4, most=3)}
        report = it.manager.apply(replace(it.manager.plan, channels=plans))
        assert (report["restarted"], sizes(it)) == (["room3"], [3, 1])
        await it.time.settle()
        assert {one.state for one in it.manager.channels()} == {S.READY}
        assert len(it.server.dials) == 2


async def test_a_reload_that_ends_sharing_gives_each_a_connection_and_one_that_begins_it_joins_them() -> None:
    async with two() as (it, news, calls):
        reload(it, share=False)
        await it.time.settle()
        assert (len(it.server.links), news.state, calls.state) == (2, S.READY, S.READY)
        reload(it, share=True)
        await it.time.settle()
        assert (len(it.server.links), news.state, calls.state) == (1, S.READY, S.READY)
        assert len(it.server.dials) == 2, "the first that shares goes on with its connection"


async def test_what_the_session_of_the_connection_names_must_be_equal_and_the_rest_may_differ() -> None:
    session = SessionPlan(upstream_values=frozenset({("with", "region")}))
    plans = [
        shared(name, session=session, values=compile_json({"region": region, "room": name}, ()))
        for name, region in (("a", "eu"), ("b", "eu"), ("c", "us"))
    ]
    async with scripted(*plans) as it:
        assert (sizes(it), len(it.server.links)) == ([2, 1], 2)


async def test_endpoints_that_dial_the_same_do_not_share_with_each_other() -> None:
    plans = (shared("news"), shared("calls", endpoint="other"))
    async with scripted(*plans, endpoints=("api", "other")) as it:
        assert len(it.server.links) == 2


async def test_a_shared_upstream_goes_by_its_first_channel_and_by_the_next_once_that_is_gone() -> None:
    plans = (shared("news", backoff=BackoffPolicy(initial=5.0, max=8.0, jitter="none")), shared("calls"))
    async with scripted(*plans) as it:
        calls = it.manager.channel("calls")
        it.server.link.end(closed(1006))
        assert calls.stats()["retry_in_s"] == 5.0
        await it.time.advance(20)
        it.manager.apply(replace(it.manager.plan, channels={"calls": calls.plan}))
        it.server.link.end(closed(1006))
        assert calls.stats()["retry_in_s"] == 1.0
