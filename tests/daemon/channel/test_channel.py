"""A channel's promises: its uses, its gaps, its sends, and what it says of itself."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from tests.daemon.scripted import REFUSED, Scripted, changed, channel_plan, closed, scripted, status
from wscli.core.states import SETTLED
from wscli.core.states import ChannelState as S
from wscli.core.verdicts import parse_verdicts
from wscli.history.records import Cursor, GapRecord

ANNOUNCED = ["news: not connected for 5s: closed by the server: 1006", "news: ready again after 23s"]
LAZY = channel_plan(eager=False, linger=30.0)


async def test_a_lazy_channel_opens_on_first_use_and_closes_its_linger_after_the_last() -> None:
    async with scripted(LAZY) as it:
        assert it.channel.state is S.IDLE
        with it.channel.use():
            with it.channel.use():
                await it.time.settle()
                assert it.channel.state is S.READY
            await it.time.advance(60)
            assert it.channel.state is S.READY
        await it.time.advance(29)
        with it.channel.use():
            await it.time.advance(29)
        await it.time.advance(29)
        assert it.channel.state is S.READY
        await it.time.advance(1.01)
        assert it.channel.state is S.IDLE
        assert it.server.links == []


async def test_a_lazy_channel_started_by_hand_stays_open_until_it_is_stopped() -> None:
    async with scripted(LAZY) as it:
        it.channel.start()
        await it.use_once()
        await it.time.advance(3600)
        assert it.channel.state is S.READY
        it.channel.stop()
        await it.time.settle()
        assert it.server.links == []


async def test_one_gap_an_outage_however_many_attempts_it_took(it: Scripted) -> None:
    it.server.link.say("one", "two")
    lost = it.time.wall()
    it.server.refusals = [REFUSED] * 3
    it.server.link.end(closed(1006))
    await it.time.advance(60)
    it.server.link.say("three")
    history = it.channel.history
    gap = GapRecord(2, "outage", lost, lost + 15)
    assert history.read(Cursor(2, 0, history.epoch)) == (gap, Cursor(2, 1, history.epoch))
    assert (history.last, history.gaps) == (3, {"outage": 1})


async def test_a_done_channel_is_not_reopened_by_a_use() -> None:
    async with scripted(channel_plan(verdicts=(parse_verdicts({"4100": "done"}),))) as it:
        it.server.link.end(closed(4100))
        await it.use_once()
        assert it.channel.state is S.DONE
        assert await it.channel.wait_for(SETTLED) is S.DONE


async def test_wait_for_returns_for_a_channel_that_was_removed_before(it: Scripted) -> None:
    channel = it.channel
    it.manager.apply(replace(it.manager.plan, channels={}))
    await it.time.settle()
    async with asyncio.timeout(10):
        assert await channel.wait_for({S.READY}) is S.STOPPED


@pytest.mark.parametrize(("refused", "messages"), [(0, []), (4, ANNOUNCED)])
async def test_an_outage_is_counted_if_it_is_short_and_else_announced_with_its_reason_and_its_end(
    it: Scripted, caplog: pytest.LogCaptureFixture, refused: int, messages: list[str]
) -> None:
    caplog.set_level(logging.INFO, "wscli.channel")
    caplog.clear()
    it.server.refusals = [REFUSED] * refused
    it.server.link.end(closed(1006))
    await it.time.advance(60)
    assert (it.channel.stats()["short_outages"], caplog.messages) == (not messages, messages)


async def test_the_end_of_the_manager_is_announced_for_no_channel(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wscli.channel")
    async with scripted() as it:
        assert it.channel.state is S.READY
        caplog.clear()
    assert caplog.messages == []


async def test_the_statistics_hold_every_key_of_the_contract(it: Scripted) -> None:
    it.server.link.say("hello")
    it.server.link.end(closed(4000))
    await it.time.settle()
    stats = it.channel.stats()
    contract = {
        "state": "waiting", "since": it.time.wall(), "critical": True, "received": 1, "received_bytes": 5,
        "sent": 0, "sent_bytes": 0, "connects": 1, "reconnects": 0, "rtt_s": None, "readers": 0,
        "history": {"first": 1, "last": 1}, "retry_in_s": 1.0,
        "last_close": {"code": 4000, "reason": "", "by": "peer"},
    }  # fmt: skip
    assert {key: stats[key] for key in contract} == contract


async def test_the_status_holds_every_key_of_the_contract(it: Scripted) -> None:
    assert it.channel.status() == {
        "channel": "news",
        "state": "ready",
        "since": it.time.wall(),
        "reason": {"code": "ready", "text": "connected and ready"},
        "next": {"action": "none", "at": None},
        "critical": True,
        "attempt": 1,
        "last_message_at": None,
        "consumers": {},
        "clients": {"upstream": "shared", "own": 0},
        "problems": [],
    }


@pytest.mark.parametrize("wanted_by", ["start", "reload"])
async def test_what_is_wanted_for_good_while_it_lingers_stays_open(wanted_by: str) -> None:
    async with scripted(LAZY) as it:
        await it.use_once()
        await it.time.advance(10)
        if wanted_by == "start":
            it.channel.start()
        else:
            it.channel.update(replace(it.channel.plan, eager=True), {}, announce_after=5.0)
        await it.time.advance(60)
        assert it.channel.state is S.READY


async def test_a_channel_that_a_reload_makes_lazy_closes_once_nobody_uses_it(it: Scripted) -> None:
    with it.channel.use():
        it.channel.update(replace(it.channel.plan, eager=False, linger=30.0), {}, announce_after=5.0)
        await it.time.advance(60)
        assert it.channel.state is S.READY
    await it.time.advance(31)
    assert it.channel.state is S.IDLE
    it.channel.update(replace(it.channel.plan, eager=True), {}, announce_after=5.0)
    await it.time.settle()
    it.channel.update(replace(it.channel.plan, eager=False), {}, announce_after=5.0)
    await it.time.advance(31)
    assert it.channel.state is S.IDLE


async def test_a_use_that_outlasts_the_channel_leaves_no_timer() -> None:
    async with scripted(LAZY) as it:
        channel = it.channel
        with channel.use():
            await it.time.settle()
            channel.shut()
            await it.time.settle()
        assert len(it.time.pending) == 1  # the keep-alive wheel's


async def test_a_channel_that_was_shut_opens_for_nobody(it: Scripted) -> None:
    channel = it.channel
    channel.shut()
    channel.start()
    channel.restart()
    channel.resume()
    await it.time.settle()
    assert (channel.state, it.server.links) == (S.STOPPED, [])


async def test_a_lazy_channel_that_nobody_uses_any_more_still_waits_as_the_server_asked(lazy: Scripted) -> None:
    lazy.server.refusals = [status(503, retry_after=60.0)]
    await lazy.use_once()
    await lazy.time.advance(30)
    with lazy.channel.use():
        await lazy.time.settle()
        assert (lazy.channel.state, len(lazy.server.dials)) == (S.WAITING, 1)
    await lazy.time.advance(31)
    assert (lazy.channel.state, len(lazy.server.dials)) == (S.IDLE, 1)
    with lazy.channel.use():
        await lazy.time.settle()
        assert lazy.channel.state is S.READY


async def test_a_use_while_the_server_asked_to_wait_dials_when_the_wait_is_over() -> None:
    async with scripted(LAZY) as it:
        it.server.refusals = [status(503, retry_after=60.0)]
        await it.use_once()
        await it.time.advance(50)
        await it.use_once()
        await it.time.advance(10.01)  # it lingers
        assert (it.channel.state, len(it.server.dials)) == (S.READY, 2)


@pytest.mark.parametrize(("what", "state"), [("reload", S.IDLE), ("restart", S.READY)])
async def test_a_wait_that_nobody_wants_ends_in_a_dial_by_hand_only(lazy: Scripted, what: str, state: S) -> None:
    lazy.server.refusals = [status(503, retry_after=60.0)]
    await lazy.use_once()
    await lazy.time.advance(1)
    if what == "restart":
        lazy.channel.restart()
    else:
        plan = changed(lazy.channel.plan, compression="none")
        assert lazy.channel.update(plan, {}, announce_after=5.0) == "updated"
    await lazy.time.advance(60)
    assert (lazy.channel.state, lazy.channel.usage.wanted) == (state, state is S.READY)
