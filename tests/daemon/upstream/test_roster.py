"""Channels of one upstream with a session: each is subscribed, refused, paused and tried again by itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from tests.daemon.scripted import changed, channel_plan, closed, scripted
from tests.daemon.scripted_session import DONE, STOP, ScriptedSessions, shared, two
from wscli.core.failures import Action, Verdict
from wscli.core.states import ChannelState as S
from wscli.core.verdicts import parse_verdicts
from wscli.errors import ChannelUnavailable
from wscli.templates import compile_json


async def test_each_is_handshaking_until_it_is_subscribed_itself() -> None:
    async with two(ScriptedSessions(subscribe=False)) as (it, news, calls, sessions):
        assert (news.state, calls.state, len(it.server.dials)) == (S.HANDSHAKING, S.HANDSHAKING, 1)
        assert news.status()["reason"] == {"code": "subscribing", "text": "connected; being subscribed"}
        sessions.last.listener.subscribing(sessions.last.joining["news"], "waits for subscribe[0]")
        assert news.status()["reason"]["text"] == "waits for subscribe[0]"
        sessions.last.accept("calls")
        assert (news.state, calls.state, news.connection, calls.connection) == (
            S.HANDSHAKING, S.READY, None, it.server.link,
        )  # fmt: skip
        sessions.last.accept("news")
        assert (news.state, news.stats()["connects"]) == (S.READY, 1)


async def test_a_message_reaches_the_channel_that_it_is_for() -> None:
    async with two() as (it, news, calls, _):
        it.server.link.say("news a", "calls b", "news c")
        assert (news.history.last, calls.history.last) == (2, 1)


async def test_a_refused_subscription_fails_that_channel_alone() -> None:
    async with two(ScriptedSessions(subscribe=False)) as (it, news, calls, sessions):
        sessions.last.accept("calls")
        sessions.last.refuse("news", STOP)
        await it.time.settle()
        assert (news.state, calls.state, len(it.server.links)) == (S.FAILED, S.READY, 1)
        assert news.status()["reason"] == {"code": "session:subscribe", "text": "no such room"}
        it.server.link.end(closed(1006))
        await it.time.advance(2)
        assert (news.state, sessions.last.said) == (S.FAILED, ["sub calls"])
        sessions.last.accept("calls")
        news.start()
        assert (news.state, len(it.server.dials)) == (S.HANDSHAKING, 2)
        sessions.last.accept("news")
        assert news.state is S.READY


async def test_one_that_is_done_leaves_the_connection_to_the_other() -> None:
    async with two() as (it, news, calls, sessions):
        sessions.last.refuse("news", DONE)
        await it.time.settle()
        assert (news.state, calls.state, len(it.server.links)) == (S.DONE, S.READY, 1)


async def test_a_declared_verdict_on_subscriptions_is_the_channels_and_not_the_connections() -> None:
    plans = (
        shared("news", verdicts=(parse_verdicts({"session:subscribe": "stop", "4000": "stop"}),), of_channel=1),
        shared("calls"),
    )
    sessions = ScriptedSessions()
    async with scripted(*plans, make_session=sessions.make) as it:
        news, calls = it.channel, it.manager.channel("calls")
        it.server.link.end(closed(4000))
        assert (news.state, calls.state) == (S.WAITING, S.WAITING)
        await it.time.advance(1.1)
        sessions.last.refuse("calls")
        sessions.last.refuse("news")
        assert (news.state, calls.state) == (S.FAILED, S.WAITING)


async def test_pause_and_resume_unsubscribe_and_subscribe_that_channel_alone() -> None:
    async with two() as (it, news, calls, sessions):
        news.pause()
        await it.time.settle()
        assert (news.state, calls.state, len(it.server.links)) == (S.PAUSED, S.READY, 1)
        it.server.link.say("news a", "calls b")
        assert (news.history.last, calls.history.last) == (0, 1)
        with pytest.raises(ChannelUnavailable):
            await news.send(b"x", binary=False, timeout=1)
        news.resume()
        assert (news.state, news.counters.gaps, calls.counters.gaps) == (S.READY, {"paused": 1}, {})
        assert sessions.last.said == ["sub news", "sub calls", "unsub news", "sub news"]


async def test_a_channel_that_returns_before_it_is_unsubscribed_is_subscribed_after_that() -> None:
    async with two(ScriptedSessions(unsubscribe=False)) as (_, news, _, sessions):
        news.pause()
        news.resume()
        assert (news.state, sessions.last.said[2:]) == (S.HANDSHAKING, ["unsub news"])
        sessions.last.let_go("news")
        assert (news.state, sessions.last.said[2:]) == (S.READY, ["unsub news", "sub news"])


async def test_the_last_one_that_leaves_says_bye_and_receives_until_the_close() -> None:
    async with two(ScriptedSessions(unsubscribe=False)) as (it, news, calls, sessions):
        link, last = it.server.link, sessions.last
        sessions.byes = asyncio.Event()
        news.stop()
        calls.stop()
        await it.time.settle()
        assert last.said[2:] == ["unsub news", "unsub calls", "bye"]
        assert link.open
        link.say("calls the last")
        assert calls.history.last == 1
        sessions.byes.set()
        await it.time.settle()
        assert (link.open, link.ended and link.ended.code) == (False, 4000)
        assert (news.state, calls.state) == (S.STOPPED, S.STOPPED)


async def test_reading_goes_on_while_one_waits_for_the_answer_to_its_subscription() -> None:
    async with two(ScriptedSessions(subscribe=False)) as (it, news, calls, sessions):
        sessions.last.accept("news")
        news.subscription.hold(True)
        assert it.server.link.reading
        sessions.last.refuse("calls", Verdict(Action.RETRY))
        assert not it.server.link.reading, "the other one waits for nothing of the server"
        await it.time.advance(1.1)
        assert it.server.link.reading
        sessions.last.accept("calls")
        calls.subscription.hold(True)
        assert not it.server.link.reading
        news.subscription.hold(False)
        assert it.server.link.reading


async def test_a_lazy_channel_lingers_and_unsubscribes_by_itself() -> None:
    plans = (shared("news"), shared("calls", eager=False, linger=5.0))
    sessions = ScriptedSessions()
    async with scripted(*plans, make_session=sessions.make) as it:
        calls = it.manager.channel("calls")
        with calls.use():
            assert calls.state is S.READY
        await it.time.advance(4.9)
        assert calls.state is S.READY
        await it.time.advance(0.2)
        assert (calls.state, it.channel.state) == (S.IDLE, S.READY)
        assert sessions.last.said == ["sub news", "sub calls", "unsub calls"]


async def test_the_verdict_of_a_channel_whose_connection_is_its_own_is_the_connections() -> None:
    sessions = ScriptedSessions()
    async with scripted(channel_plan(), make_session=sessions.make) as it:
        sessions.last.refuse("news")
        await it.time.settle()
        assert (it.channel.state, it.server.links) == (S.WAITING, [])
        await it.time.advance(1.1)
        assert (it.channel.state, len(it.server.dials)) == (S.READY, 2)


async def test_resubscribe_by_hand_leaves_the_neighbours_alone_and_records_the_gap() -> None:
    async with two() as (it, news, calls, sessions):
        news.resubscribe()
        assert (news.state, calls.state, len(it.server.dials)) == (S.READY, S.READY, 1)
        assert sessions.last.said == ["sub news", "sub calls", "unsub news", "sub news"]
        assert (news.counters.gaps, calls.counters.gaps) == ({"outage": 1}, {})


async def test_resubscribe_by_hand_ends_a_wait_of_the_channel() -> None:
    async with two() as (_, news, _, sessions):
        sessions.last.refuse("news", Verdict(Action.RETRY, 600.0))
        news.resubscribe()
        assert news.state is S.READY


async def test_a_changed_with_resubscribes_that_channel_only() -> None:
    async with two() as (it, news, _, sessions):
        other = replace(news.plan, values=compile_json({"event": "x"}, ("param",)))
        plans = {**it.manager.plan.channels, "news": other}
        report = it.manager.apply(replace(it.manager.plan, channels=plans))
        assert (report["updated"], report["kept"]) == (["news"], ["calls"])
        assert (news.state, news.values, len(it.server.dials)) == (S.READY, {"event": "x"}, 1)
        assert sessions.last.said[2:] == ["unsub news", "sub news"]


async def test_a_reload_that_changed_its_verdicts_opens_one_that_a_verdict_of_its_own_failed() -> None:
    async with two() as (it, news, calls, sessions):
        sessions.last.refuse("news", STOP)
        plans = {
            name: changed(plan, verdicts=(parse_verdicts({"session:subscribe": "retry"}),))
            for name, plan in it.manager.plan.channels.items()
        }
        it.manager.apply(replace(it.manager.plan, channels=plans))
        assert (news.state, calls.state, len(it.server.dials)) == (S.READY, S.READY, 1)
