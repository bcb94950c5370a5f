"""A rotation's promises: the next connection is ready before the last one closes, and never are there more than two."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from tests.daemon.scripted import (
    REFUSED,
    Scripted,
    ScriptedLink,
    changed,
    channel_plan,
    closed,
    scripted,
    status,
    with_token,
)
from wscli.config.models.upstream import Rotate
from wscli.config.plan import ChannelPlan
from wscli.core.states import ChannelState as S
from wscli.core.verdicts import parse_verdicts
from wscli.daemon.channel.channel import Channel
from wscli.errors import NotSent
from wscli.tokens.models import TokenSource
from wscli.values import Secret

HOURLY = Rotate(max_age=3600.0)


def plan(**changes: Any) -> ChannelPlan:
    return channel_plan(rotate=HOURLY, **changes)


async def rotate(it: Scripted, *, slow_close: float = 60.0) -> tuple[Channel, ScriptedLink, ScriptedLink]:
    """Let the hour pass, and give the channel, its old link, which closes slowly, and its new one."""
    channel, old = it.channel, it.server.link
    old.slow_close = slow_close
    while len(it.server.dials) == 1:
        await it.time.advance(1.0)
    return channel, old, it.server.links[-1]


async def hold(it: Scripted) -> Channel:
    """Let the hour pass, while no dial is answered."""
    it.server.hold = asyncio.get_running_loop().create_future()
    await it.time.advance(3601)
    assert len(it.server.dials) == 2
    return it.channel


def go_on(it: Scripted) -> None:
    assert it.server.hold is not None
    it.server.hold.set_result(None)
    it.server.hold = None


async def test_the_next_connection_is_ready_before_the_last_one_closes() -> None:
    async with scripted(plan()) as it:
        began = it.time.now
        channel, old, new = await rotate(it)
        assert 3240 <= it.time.now - began <= 3601, "up to a tenth sooner"
        assert it.server.links == [old, new]
        assert (channel.state, channel.connection) == (S.READY, new)
        assert channel.stats()["successor"]["state"] == "ready"
        assert it.manager.stats()["connections"] == {"active": 1, "total": 1, "successors": 1}
        await it.time.advance(1.1)
        assert it.server.links == [new]
        assert it.manager.stats()["connections"] == {"active": 1, "total": 1, "successors": 0}
        stats = channel.stats()
        assert (stats["connects"], stats["reconnects"], stats["rotations"], stats["gaps"]) == (2, 0, 1, {})
        assert stats["successor"] is None
        await it.time.advance(3601)
        assert channel.stats()["rotations"] == 2
        assert it.server.most == 2


async def test_a_channel_without_a_rotation_keeps_its_connection(it: Scripted) -> None:
    await it.time.advance(100_000)
    assert len(it.server.dials) == 1


async def test_what_still_comes_over_the_old_connection_is_received_until_it_is_closed() -> None:
    async with scripted(plan()) as it:
        channel, old, new = await rotate(it)
        old.say("the last")
        new.say("the first")
        assert channel.history.last == 2
        await it.time.advance(1.1)
        assert not old.open
        old.listener.on_batch([b"late"], None)
        assert channel.history.last == 2
        assert channel.history.gaps == {}


async def test_sends_go_to_the_new_connection_alone_once_that_is_ready() -> None:
    async with scripted(plan()) as it:
        channel = await hold(it)
        old = it.server.link
        await channel.send(b"before", binary=False, timeout=1.0)
        old.slow_close = 60.0
        go_on(it)
        await it.time.settle()
        await channel.send(b"after", binary=False, timeout=1.0)
        assert [payload for payload, _ in old.sent] == [b"before"]
        assert [payload for payload, _ in it.server.links[-1].sent] == [b"after"]


async def test_a_send_that_the_closing_connection_did_not_take_goes_over_the_new_one() -> None:
    async with scripted(plan()) as it:
        channel = await hold(it)
        full: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def wait_for_room(payload: bytes, **_: object) -> None:
            await full
            raise NotSent("the connection is closed")

        it.server.link.send = wait_for_room  # type: ignore[method-assign]  # a full buffer
        sending = asyncio.ensure_future(channel.send(b"hello", binary=False, timeout=5.0))
        await it.time.settle()
        go_on(it)
        await it.time.settle()
        full.set_result(None)
        await sending
        assert it.server.link.sent == [(b"hello", False)]


async def test_status_says_that_it_is_rotating_and_what_became_of_it() -> None:
    async with scripted(plan()) as it:
        channel = await hold(it)
        shown = channel.status()
        assert (shown["state"], shown["reason"]["code"]) == ("ready", "rotating")
        assert shown["reason"]["text"] == (
            "connected and ready; rotating, the next connection: dialling ws://192.0.2.1/ws"
        )
        assert channel.stats()["successor"]["state"] == "connecting"
        go_on(it)
        await it.time.settle()
        assert channel.status()["reason"] == {"code": "ready", "text": "connected and ready"}


async def test_a_successor_that_fails_is_tried_again_with_backoff_and_the_connection_stays() -> None:
    async with scripted(plan()) as it:
        channel, first = it.channel, it.server.link
        it.server.always = REFUSED
        await it.time.advance(3600 + 30)
        assert (channel.state, it.server.links) == (S.READY, [first])
        began = [at for at, _ in it.server.dials][1:]
        assert [round(b - a) for a, b in pairwise(began)][:3] == [1, 2, 4]
        text = channel.status()["reason"]["text"]
        assert "to be rotated again, the next connection failed: connection refused" in text
        it.server.always = None
        await it.time.advance(8.1)
        assert (channel.state, channel.stats()["rotations"], first.open) == (S.READY, 1, False)


async def test_a_successor_that_is_closed_at_once_does_not_take_the_place_of_a_healthy_connection() -> None:
    async with scripted(plan()) as it:
        first = it.server.link
        it.server.on_open = lambda link: link.end(closed(1013))
        await it.time.advance(3700)
        assert it.server.links == [first]
        assert it.channel.stats()["connects"] == 1


async def test_a_successor_that_is_refused_for_good_is_not_dialled_again() -> None:
    async with scripted(plan()) as it:
        it.server.always = status(410)
        await it.time.advance(20_000)
        it.network(online=True)
        await it.time.advance(20_000)
        assert len(it.server.dials) == 2
        assert it.channel.state is S.READY


async def test_a_connection_that_ends_in_a_rotation_is_followed_by_the_successor_without_a_third_dial() -> None:
    async with scripted(plan()) as it:
        channel = await hold(it)
        it.server.link.end(closed(1006))
        await it.time.settle()
        assert (channel.state, it.manager.stats()["connections"]["successors"]) == (S.CONNECTING, 0)
        go_on(it)
        await it.time.settle()
        assert (channel.state, len(it.server.dials)) == (S.READY, 2)
        stats = channel.stats()
        assert (stats["connects"], stats["reconnects"], stats["rotations"], stats["gaps"]) == (2, 1, 0, {"outage": 1})


async def test_the_tokens_of_a_connection_that_ended_are_dropped_and_not_those_of_its_successor() -> None:
    tokens = {"session": TokenSource.model_validate({"value": "s3cret"})}
    async with scripted(with_token(plan()), tokens=tokens) as it:
        channel = await hold(it)
        await it.manager.broker.refresh("session")
        newer = it.manager.broker.peek("session")
        it.server.link.end(closed(4401))
        go_on(it)
        await it.time.settle()
        assert channel.state is S.READY
        assert it.manager.broker.peek("session") == newer


def elsewhere(plan: ChannelPlan) -> ChannelPlan:
    return changed(plan, url=Secret("ws://192.0.2.1/v2"))


async def test_a_reload_that_changes_how_to_connect_rotates_where_that_is_declared() -> None:
    async with scripted(plan()) as it:
        channel, old = it.channel, it.server.link
        old.slow_close = 60.0
        report = it.manager.apply(replace(it.plan, channels={"news": elsewhere(plan())}))
        assert (report["rotated"], report["restarted"]) == (["news"], [])
        assert channel.connection is old
        old.say("until the next is ready")
        await it.time.settle()
        assert channel.connection is it.server.links[-1] is not old
        assert it.server.links[-1].target.url == "ws://192.0.2.1/v2/news"
        stats = channel.stats()
        assert (stats["rotations"], stats["reconnects"], stats["gaps"], channel.history.last) == (1, 0, {}, 1)


async def test_a_second_reload_gives_up_the_successor_that_the_first_one_dials() -> None:
    async with scripted(plan()) as it:
        it.server.hold = asyncio.get_running_loop().create_future()
        it.manager.apply(replace(it.plan, channels={"news": elsewhere(plan())}))
        await it.time.settle()
        it.manager.apply(replace(it.plan, channels={"news": plan(critical=False)}))
        await it.time.settle()
        go_on(it)
        await it.time.advance(2.0)
        assert it.server.link.target.url == "ws://192.0.2.1/ws/news"
        assert it.channel.stats()["rotations"] == 1


async def test_a_reload_to_what_cannot_be_reached_leaves_the_connection_that_works() -> None:
    async with scripted(plan()) as it:
        it.server.refusals = [REFUSED, status(410)]
        it.manager.apply(replace(it.plan, channels={"news": elsewhere(plan())}))
        await it.time.advance(5.0)
        assert it.channel.state is S.READY
        assert it.channel.snapshot.reason.text == (
            "connected and ready; not to be rotated, the next connection was refused: HTTP 410"
        )


@pytest.mark.parametrize("how", ["stop", "pause", "remove"])
async def test_a_channel_whose_new_connection_is_lost_takes_nothing_from_the_old_one_once_it_is_left(how: str) -> None:
    async with scripted(plan()) as it:
        channel, old, new = await rotate(it)
        it.server.always = REFUSED
        new.end(closed(1006))
        old.say("while it waits")
        assert (channel.state, channel.history.last) == (S.WAITING, 1)
        if how == "remove":
            it.manager.apply(replace(it.plan, channels={}))
        else:
            getattr(channel, how)()
        old.say("late")
        assert channel.history.last == 1


@pytest.mark.parametrize("how", ["stop", "pause", "restart"])
@pytest.mark.parametrize("opened", [False, True], ids=["connecting", "draining"])
async def test_what_is_closed_by_hand_in_a_rotation_closes_both(how: str, opened: bool) -> None:
    async with scripted(plan()) as it:
        channel = await hold(it)
        first = it.server.link
        first.slow_close = 60.0
        if opened:
            go_on(it)
            await it.time.settle()
            assert len(it.server.links) == 2
        getattr(channel, how)()
        first.say("too late")
        if not opened:
            go_on(it)
        await it.time.advance(1.1)
        assert channel.history.last == 0
        assert not first.open
        assert len(it.server.links) == (1 if how == "restart" else 0)
        assert it.server.most <= 2
        assert channel.stats()["successor"] is None


async def test_a_lazy_channel_that_nobody_uses_any_more_closes_both() -> None:
    async with scripted(plan(eager=False)) as it:
        with it.channel.use():
            await it.time.settle()
            await hold(it)
        await it.time.advance(0.1)
        go_on(it)
        await it.time.settle()
        assert it.server.links == []
        assert it.channel.state is S.IDLE


async def test_no_successor_is_dialled_while_offline() -> None:
    async with scripted(plan()) as it:
        it.network(online=False)
        await it.time.advance(4000)
        assert len(it.server.dials) == 1
        it.network(online=True)
        await it.time.advance(10)
        assert len(it.server.dials) == 2


async def test_a_rotation_waits_until_the_connection_before_the_last_is_closed() -> None:
    async with scripted(channel_plan(rotate=Rotate(max_age=1.0))) as it:
        it.server.on_open = lambda link: setattr(link, "slow_close", 60.0)
        it.server.link.slow_close = 60.0
        await it.time.advance(60)
        assert it.server.most == 2
        assert len(it.server.dials) > 20


async def test_a_new_connection_is_held_back_as_the_old_one_was_which_reads_on() -> None:
    async with scripted(plan()) as it:
        channel = await hold(it)
        old = it.server.link
        old.slow_close = 60.0
        channel.backpressure.report_history(True)
        go_on(it)
        await it.time.settle()
        assert (old.reading, it.server.links[-1].reading) == (True, False)
        channel.backpressure.report_history(False)
        assert it.server.links[-1].reading


async def test_the_keys_of_a_reload_apply_to_the_connection_that_is_open(it: Scripted) -> None:
    await it.time.advance(7000)
    it.manager.apply(replace(it.manager.plan, channels={"news": plan()}))
    await it.time.advance(2)
    assert it.channel.stats()["rotations"] == 1, "older than that already"
    it.manager.apply(replace(it.manager.plan, channels={"news": channel_plan()}))
    await it.time.advance(10_000)
    assert it.channel.stats()["rotations"] == 1


LIFE = {"session": TokenSource.model_validate({"value": "s3cret", "expires_in": "10m", "refresh": "90%"})}
"""Refreshed after nine minutes, which is later than the rotation asks for."""


async def test_before_its_token_expires_a_connection_is_replaced_by_one_with_a_token_that_lasts() -> None:
    async with scripted(with_token(channel_plan(rotate=Rotate(before_expiry=120.0))), tokens=LIFE) as it:
        upstream = it.channel.subscription.upstream
        assert upstream.attempts.present is not None
        before = upstream.attempts.present.record
        await it.time.advance(479.9)
        assert len(it.server.dials) == 1
        await it.time.advance(0.2)
        assert (len(it.server.dials), it.channel.stats()["rotations"]) == (2, 1)
        after = upstream.attempts.present.record
        assert after.tokens != before.tokens
        assert after.expires_at is not None
        assert after.expires_at > it.time.boottime() + 590
        await it.time.advance(470)
        assert len(it.server.dials) == 2


async def test_the_earlier_of_two_causes_counts_and_a_tokens_life_goes_on_in_sleep() -> None:
    both = Rotate(before_expiry=120.0, max_age=300.0)
    async with scripted(with_token(channel_plan(rotate=both)), tokens=LIFE) as it:
        await it.time.advance(301)
        assert len(it.server.dials) == 2
        it.time.sleep(400)
        await it.time.advance(5)
        assert len(it.server.dials) == 3


async def test_tokens_that_do_not_last_as_long_as_asked_do_not_make_a_storm_of_dials() -> None:
    async with scripted(with_token(channel_plan(rotate=Rotate(before_expiry=3600.0))), tokens=LIFE) as it:
        await it.time.advance(900)
        assert len(it.server.dials) == 4, "at half of each life"


async def test_the_refusal_of_a_token_to_a_successor_drops_it_and_leaves_the_connection() -> None:
    tokens = {"session": TokenSource.model_validate({"value": "s3cret"})}
    verdicts = (parse_verdicts({"401": "reauth"}),)
    async with scripted(with_token(plan(verdicts=verdicts)), tokens=tokens) as it:
        it.server.refusals = [status(401)]
        await it.time.advance(3610)
        assert it.manager.broker.stats()["session"]["fetches"] == 2
        assert it.channel.stats()["rotations"] == 1
