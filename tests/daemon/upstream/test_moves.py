"""Channels move from one connection to the next: subscribed there first, then unsubscribed here; nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.daemon.scripted import Scripted, changed, channel_plan, closed, scripted
from tests.daemon.scripted_session import RETRY, STOP, ScriptedSessions, shared, two
from wscli.config.models.upstream import Rotate
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.core.states import ChannelState as S
from wscli.daemon.channel.channel import Channel
from wscli.errors import UsageError
from wscli.session.plan import SessionPlan
from wscli.values import Secret

REPLACE = Verdict(Action.REPLACE)
ASKED = Failure(FailureKind.SESSION, "the server asks for it", moment="rule")


@asynccontextmanager
async def moving() -> AsyncIterator[tuple[Scripted, Channel, Channel, ScriptedSessions]]:
    """Two channels whose next connection is ready, and has not answered their subscriptions."""
    async with two() as (it, news, calls, sessions):
        sessions.subscribe = sessions.unsubscribe = False
        news.rotate()
        await it.time.settle()
        assert (len(it.server.links), len(sessions.open)) == (2, 2)
        yield it, news, calls, sessions


async def test_a_channel_moves_once_it_is_subscribed_there_and_the_old_connection_closes_after_the_last() -> None:
    async with moving() as (it, news, calls, sessions):
        old, new = sessions.made
        assert (news.state, calls.state, new.said) == (S.READY, S.READY, ["sub news", "sub calls"])
        new.accept("news")
        await it.time.settle()
        assert (old.said[2:], len(it.server.links)) == (["unsub news"], 2)
        assert (news.connection, calls.connection) == (it.server.links[1], it.server.links[0])
        old.let_go("news")
        new.accept("calls")
        await it.time.settle()
        assert (old.said[2:], len(it.server.links)) == (["unsub news", "unsub calls"], 2)
        old.let_go("calls")
        await it.time.settle()
        assert (it.server.link is new.connection, old.ended) == (True, True)
        assert [one.stats()["rotations"] for one in (news, calls)] == [1, 1]
        assert [one.counters.gaps for one in (news, calls)] == [{}, {}]


async def test_what_either_connection_brings_in_a_move_is_received() -> None:
    async with moving() as (it, news, _, sessions):
        old, new = it.server.links
        old.say("news 1")
        new.say("news 2")
        sessions.last.accept("news")
        old.say("news 3")
        new.say("news 4")
        assert news.history.last == 4


async def test_each_sends_over_the_connection_on_which_it_is_subscribed() -> None:
    async with moving() as (it, news, calls, sessions):
        sessions.last.accept("news")
        await news.send(b"n", binary=False, timeout=1)
        await calls.send(b"c", binary=False, timeout=1)
        assert [link.sent for link in it.server.links] == [[(b"c", False)], [(b"n", False)]]


async def test_a_refusal_on_the_next_connection_fails_that_channel_alone() -> None:
    async with moving() as (it, news, calls, sessions):
        old, new = sessions.made
        new.refuse("news", STOP)
        new.accept("calls")
        assert (news.state, calls.state, old.said[2:]) == (S.FAILED, S.READY, ["unsub news", "unsub calls"])
        old.let_go("news")
        old.let_go("calls")
        await it.time.settle()
        assert len(it.server.links) == 1


async def test_a_channel_that_is_refused_there_is_tried_again_there() -> None:
    async with moving() as (it, news, calls, sessions):
        new = sessions.last
        sessions.unsubscribe = True
        new.refuse("news", RETRY)
        new.accept("calls")
        assert (news.state, calls.state) == (S.WAITING, S.READY)
        await it.time.advance(1.1)
        assert (news.state, new.said, len(it.server.links)) == (S.HANDSHAKING, ["sub news", "sub calls", "sub news"], 1)


async def test_a_connection_that_ends_in_a_move_leaves_its_channels_to_the_next_one() -> None:
    async with moving() as (it, news, calls, sessions):
        sessions.last.accept("news")
        it.server.links[0].end(closed(1006))
        assert (news.state, calls.state, len(it.server.dials)) == (S.READY, S.HANDSHAKING, 2)
        sessions.last.accept("calls")
        assert (calls.state, news.counters.gaps, calls.counters.gaps) == (S.READY, {}, {"outage": 1})


async def test_where_the_next_connection_ends_in_a_move_the_old_one_goes_on_and_is_rotated_later() -> None:
    async with moving() as (it, news, calls, sessions):
        old, new = sessions.made
        new.accept("news")
        old.let_go("news")
        it.server.links[1].end(closed(1006))
        assert (news.state, calls.state, len(it.server.dials)) == (S.HANDSHAKING, S.READY, 2)
        assert "rotates again later, the next connection ended" in calls.status()["reason"]["text"]
        old.accept("news")
        assert (news.state, news.counters.gaps, calls.counters.gaps) == (S.READY, {"outage": 1}, {})
        sessions.subscribe = sessions.unsubscribe = True
        await it.time.advance(1.1)
        assert (len(it.server.links), len(it.server.dials), calls.stats()["rotations"]) == (1, 3, 1)
        assert (news.state, news.counters.gaps) == (S.READY, {"outage": 1})


async def test_one_that_is_paused_in_a_move_leaves_both_connections() -> None:
    async with moving() as (it, news, calls, sessions):
        old, new = sessions.made
        sessions.unsubscribe = True
        calls.pause()
        assert (old.said[2:], new.said[2:]) == (["unsub calls"], ["unsub calls"])
        new.accept("news")
        await it.time.settle()
        assert (news.state, calls.state, len(it.server.links)) == (S.READY, S.PAUSED, 1)


async def test_stopping_both_in_a_move_closes_both_connections() -> None:
    async with moving() as (it, news, calls, _):
        news.stop()
        calls.stop()
        await it.time.advance(2)
        assert it.server.links == []


async def test_a_rotation_by_hand_in_a_move_is_the_one_under_way() -> None:
    async with moving() as (it, news, _, __):
        news.rotate()
        await it.time.settle()
        assert len(it.server.dials) == 2


async def test_a_rotation_that_is_due_in_a_move_waits_for_its_end() -> None:
    async with two(rotate=Rotate(max_age=60.0)) as (it, news, _, sessions):
        sessions.subscribe = False
        await it.time.advance(200)
        assert (len(it.server.links), it.server.most) == (2, 2)
        sessions.subscribe = True
        for name in ("news", "calls"):
            sessions.last.accept(name)
        await it.time.advance(10)
        assert (news.state, it.server.most) == (S.READY, 2)
        assert len(it.server.links) == 1


async def test_replace_moves_and_is_done_once_per_health() -> None:
    async with two() as (it, news, calls, sessions):
        sessions.last.listener.judged(REPLACE, ASKED)
        await it.time.settle()
        assert (len(it.server.dials), len(it.server.links), news.stats()["rotations"]) == (2, 1, 1)
        sessions.last.listener.judged(REPLACE, ASKED)
        await it.time.settle()
        assert (len(it.server.dials), calls.state) == (2, S.READY)
        assert "rotates later" in news.status()["reason"]["text"]


async def test_where_rotations_are_forbidden_replace_reconnects_and_rotate_is_refused() -> None:
    async with two(rotates=False) as (it, news, _, sessions):
        with pytest.raises(UsageError, match="cannot be rotated"):
            news.rotate()
        sessions.last.listener.judged(REPLACE, ASKED)
        await it.time.settle()
        assert (it.server.most, len(it.server.dials), news.state) == (1, 2, S.READY)


@pytest.mark.parametrize("rotates", [False, True])
async def test_a_changed_session_redials_or_rotates(rotates: bool) -> None:
    async with two(rotate=Rotate(max_age=3600.0) if rotates else None) as (it, news, calls, _):
        plans = {
            name: changed(plan, session=SessionPlan(close=4001)) for name, plan in it.manager.plan.channels.items()
        }
        report = it.manager.apply(replace(it.manager.plan, channels=plans))
        assert report["rotated" if rotates else "restarted"] == ["news", "calls"]
        await it.time.settle()
        assert (news.state, calls.state, len(it.server.dials), it.server.most) == (S.READY, S.READY, 2, 1 + rotates)


async def test_a_rotation_moves_two_hundred_channels_and_loses_none() -> None:
    sessions = ScriptedSessions()
    plans = [shared(f"room{number}") for number in range(200)]
    async with scripted(*plans, make_session=sessions.make) as it:
        channels = it.manager.channels()
        assert {one.state for one in channels} == {S.READY}
        assert (len(it.server.dials), it.manager.stats()["connections"]["total"]) == (1, 1)
        assert it.server.link.pings <= 1, "one connection, one heartbeat"
        it.server.link.say(*(f"room{number} a" for number in range(200)))
        channels[0].rotate()
        await it.time.settle()
        it.server.link.say(*(f"room{number} b" for number in range(200)))
        assert {one.history.last for one in channels} == {2}
        assert {(one.stats()["rotations"], one.state, str(one.counters.gaps)) for one in channels} == {
            (1, S.READY, "{}")
        }
        assert len(it.server.dials) == 2
        it.server.link.end(closed(1006))
        await it.time.advance(1.1)
        assert {one.state for one in channels} == {S.READY}
        assert len(it.server.dials) == 3


async def test_critical_channels_are_subscribed_first() -> None:
    sessions = ScriptedSessions()
    plans = (shared("news", critical=False), shared("calls"), channel_plan("other", critical=False))
    async with scripted(*plans, make_session=sessions.make) as it:
        it.channel.connection.end(closed(1006))  # type: ignore[union-attr]
        await it.time.advance(1.1)
        assert [one.said for one in sessions.open if "sub news" in one.said] == [["sub calls", "sub news"]]


async def test_a_reload_that_moves_one_to_another_connection_unsubscribes_it_on_the_one_before() -> None:
    async with two(ScriptedSessions(unsubscribe=False)) as (it, news, calls, sessions):
        elsewhere = changed(news.plan, url=Secret("ws://192.0.2.2/ws"))
        it.manager.apply(replace(it.manager.plan, channels={"news": elsewhere, "calls": calls.plan}))
        await it.time.settle()
        before, after = sessions.made
        before.let_go("news")
        assert (before.said, after.said) == (["sub news", "sub calls", "unsub news"], ["sub news"])
        assert (news.state, calls.state, len(it.server.links)) == (S.READY, S.READY, 2)


async def test_a_rotation_under_way_is_given_up_where_a_move_falls_back() -> None:
    async with moving() as (it, news, calls, sessions):
        it.server.hold = asyncio.get_running_loop().create_future()
        sessions.last.listener.judged(REPLACE, ASKED)
        await it.time.settle()
        it.server.links[1].end(closed(1006))
        it.server.hold.set_result(None)
        it.server.hold = None
        await it.time.settle()
        assert (news.state, calls.state, len(it.server.links)) == (S.READY, S.READY, 1)
        assert news.connection is sessions.made[0].connection
