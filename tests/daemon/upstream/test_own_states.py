"""A channel that is refused on a ready upstream waits, fails and is tried again by itself."""

from __future__ import annotations

import pytest

from tests.daemon.scripted import closed, scripted
from tests.daemon.scripted_session import FRESH, REAUTH, RECONNECT, RETRY, ScriptedSessions, shared, two
from wscli.core.backoff import LookAgain
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.core.states import ChannelState as S


async def test_a_channel_that_is_refused_backs_off_by_itself_and_says_until_when() -> None:
    async with two() as (it, news, calls, sessions):
        for wait in (1.0, 2.0, 4.0):
            sessions.subscribe = False
            if wait == 1.0:
                sessions.last.refuse("news")
            else:
                sessions.last.refuse("news", RETRY)
            assert (news.state, calls.state) == (S.WAITING, S.READY)
            assert news.status()["next"] == {"action": "subscribe", "at": pytest.approx(it.time.wall() + wait)}
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
        assert (news.counters.gaps, news.counters.reconnects) == ({"outage": 1}, {"session:subscribe": 1})
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
        assert news.status()["next"]["action"] == "subscribe"
        await it.time.advance(61)
        assert news.state is S.READY


async def test_while_the_upstream_is_not_ready_a_channel_mirrors_it_and_draws_no_wait_of_its_own() -> None:
    async with two() as (it, news, calls, sessions):
        sessions.last.refuse("news", Verdict(Action.RETRY, 600.0))
        assert (news.state, calls.state) == (S.WAITING, S.READY)
        it.server.link.end(closed(1006))
        assert news.status()["reason"] == calls.status()["reason"]
        assert news.status()["reason"]["code"] == "close:1006"
        await it.time.advance(1.1)
        assert (news.state, calls.state, len(it.server.dials)) == (S.READY, S.READY, 2)


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
