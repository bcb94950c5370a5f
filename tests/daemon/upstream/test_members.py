"""Channels of one upstream with a session: each is subscribed, refused, paused and tried again by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.daemon.scripted import Scripted, changed, channel_plan, closed, scripted
from tests.daemon.scripted_session import ScriptedSessions
from wscli.config.plan import ChannelPlan
from wscli.core.backoff import LookAgain
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.core.states import ChannelState as S
from wscli.core.verdicts import parse_verdicts
from wscli.daemon.channel.channel import Channel
from wscli.errors import ChannelUnavailable
from wscli.templates import compile_json, compile_path

STOP, DONE, RETRY, RECONNECT, REAUTH, FRESH = (
    Verdict(Action(name)) for name in ("stop", "done", "retry", "reconnect", "reauth", "fresh")
)


def shared(name: str, **changes: Any) -> ChannelPlan:
    return channel_plan(name, **{"path": compile_path("/all"), "share": True, **changes})


@asynccontextmanager
async def two(
    sessions: ScriptedSessions | None = None, **changes: Any
) -> AsyncIterator[tuple[Scripted, Channel, Channel, ScriptedSessions]]:
    """A manager of the channels ``news`` and ``calls``, which share an upstream with a session."""
    sessions = sessions or ScriptedSessions()
    async with scripted(shared("news", **changes), shared("calls", **changes), make_session=sessions.make) as it:
        yield it, it.channel, it.manager.channel("calls"), sessions


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


async def test_a_channel_that_is_refused_backs_off_by_itself_and_says_until_when() -> None:
    async with two() as (it, news, calls, sessions):
        for wait in (1.0, 2.0, 4.0):
            sessions.subscribe = False
            if wait == 1.0:
                sessions.last.refuse("news")
            else:
                sessions.last.refuse("news", RETRY)
            assert (news.state, calls.state) == (S.WAITING, S.READY)
            assert news.status()["next"] == {"action": "retry", "at": pytest.approx(it.time.wall() + wait)}
            assert news.stats()["retry_in_s"] == wait
            await it.time.advance(wait - 0.01)
            assert news.state is S.WAITING
            await it.time.advance(0.02)
            assert news.state is S.HANDSHAKING
        assert news.status()["attempt"] == 4
        assert "no such room" in news.status()["reason"]["text"]
        sessions.last.accept("news")
        assert (news.state, len(it.server.dials)) == (S.READY, 1)
        assert news.counters.gaps == {"outage": 1}


async def test_the_backoff_of_a_channel_starts_anew_after_health() -> None:
    async with two() as (it, news, _, sessions):
        sessions.last.refuse("news")
        await it.time.advance(1.1)
        sessions.last.refuse("news")
        assert news.stats()["retry_in_s"] == 2.0
        await it.time.advance(2.1)
        await it.time.advance(11)
        sessions.last.refuse("news")
        assert news.stats()["retry_in_s"] == 1.0


async def test_reconnect_subscribes_at_once_and_once_per_health() -> None:
    async with two() as (it, news, _, sessions):
        sessions.last.refuse("news", RECONNECT)
        assert (news.state, sessions.last.said) == (S.READY, ["sub news", "sub calls", "sub news"])
        sessions.last.refuse("news", RECONNECT)
        assert news.state is S.WAITING
        await it.time.advance(1.1)
        await it.time.advance(11)
        sessions.last.refuse("news", RECONNECT)
        assert news.state is S.READY


async def test_fresh_forgets_what_is_kept_of_that_channel() -> None:
    async with two() as (_, news, calls, sessions):
        sessions.last.refuse("news", FRESH)
        assert (sessions.forgotten, news.state, calls.state) == (["news"], S.READY, S.READY)


async def test_reauth_forgets_the_tokens_that_its_own_steps_used() -> None:
    async with two() as (it, news, _, sessions):
        forgotten: list[tuple[str, int]] = []
        it.manager.broker.invalidate = lambda name, version: forgotten.append((name, version))  # type: ignore[method-assign]
        sessions.last.subscribed["news"].tokens["room"] = 7
        sessions.last.subscribed["calls"].tokens["other"] = 8
        sessions.last.refuse("news", REAUTH)
        assert (news.state, forgotten) == (S.READY, [("room", 7)])


async def test_an_answer_that_names_the_credentials_stops_after_three_in_a_row_and_looks_again() -> None:
    refused = Failure(FailureKind.STATUS, "HTTP 401", code=401)
    look = LookAgain(60.0, declared=False)
    async with two(look_again=look) as (it, news, calls, sessions):
        for wait in (1.1, 2.1):
            sessions.last.refuse("news", failure=refused)
            assert news.state is S.WAITING
            await it.time.advance(wait)
        sessions.last.refuse("news", failure=refused)
        assert (news.state, calls.state) == (S.FAILED, S.READY)
        assert news.snapshot.refused_credentials
        assert news.status()["next"]["action"] == "retry"
        await it.time.advance(61)
        assert news.state is S.READY


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


async def test_while_the_upstream_is_not_ready_a_channel_mirrors_it_and_draws_no_wait_of_its_own() -> None:
    async with two() as (it, news, calls, sessions):
        sessions.last.refuse("news", Verdict(Action.RETRY, 600.0))
        assert (news.state, calls.state) == (S.WAITING, S.READY)
        it.server.link.end(closed(1006))
        assert news.status()["reason"] == calls.status()["reason"]
        assert news.status()["reason"]["code"] == "close:1006"
        await it.time.advance(1.1)
        assert (news.state, calls.state, len(it.server.dials)) == (S.READY, S.READY, 2)


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


async def test_a_lazy_channel_that_was_refused_is_not_subscribed_sooner_by_its_next_use() -> None:
    plans = (shared("news"), shared("calls", eager=False))
    sessions = ScriptedSessions(subscribe=False)
    async with scripted(*plans, make_session=sessions.make) as it:
        calls = it.manager.channel("calls")
        sessions.last.accept("news")
        with calls.use():
            sessions.last.refuse("calls", Verdict(Action.RETRY, 30.0))
        await it.time.advance(1)
        assert (calls.state, it.channel.state) == (S.IDLE, S.READY)
        with calls.use():
            assert (calls.state, calls.status()["reason"]["code"]) == (S.WAITING, "session:subscribe")
            await it.time.advance(28)
            assert calls.state is S.WAITING
            await it.time.advance(1.1)
            assert calls.state is S.HANDSHAKING


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
