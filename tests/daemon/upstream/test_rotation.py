"""A rotation's promises: the next connection is ready before the last one closes, and never are there more than two."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import pairwise

import pytest

from tests.daemon.scripted import REFUSED, Scripted, ScriptedLink, channel_plan, closed, scripted, status, with_token
from wscli.config.models.upstream import Keepalive, Rotate
from wscli.core.states import ChannelState as S
from wscli.core.verdicts import parse_verdicts
from wscli.daemon.channel.channel import Channel
from wscli.daemon.upstream.clocks import HANDOVER
from wscli.errors import NotSent
from wscli.history.records import GapRecord
from wscli.tokens.models import TokenSource

HOURLY = Rotate(max_age=3600.0)


async def rotate(it: Scripted) -> tuple[Channel, ScriptedLink, ScriptedLink]:
    """Let the hour pass, and give the channel, its old link, which closes slowly, and its new one."""
    channel, old = it.channel, it.server.link
    old.slow_close = 60.0
    while len(it.server.dials) == 1:
        await it.time.advance(1.0)
    return channel, old, it.server.links[-1]


async def hold(it: Scripted) -> Channel:
    """Let the hour pass, while no dial is answered."""
    it.server.hold = asyncio.get_running_loop().create_future()
    await it.time.advance(3601)
    assert len(it.server.dials) == 2
    return it.channel


async def go_on(it: Scripted) -> None:
    """Answer the dials."""
    assert it.server.hold is not None
    it.server.hold.set_result(None)
    await it.time.settle()


async def test_the_next_connection_is_ready_before_the_last_one_closes(hourly: Scripted) -> None:
    began = hourly.time.now
    channel, old, new = await rotate(hourly)
    assert 3240 <= hourly.time.now - began <= 3601, "up to a tenth sooner"
    assert hourly.server.links == [old, new]
    assert (channel.state, channel.connection) == (S.READY, new)
    assert channel.stats()["successor"]["state"] == "ready"
    assert hourly.manager.stats()["connections"] == {"active": 1, "total": 1, "successors": 1, "unrouted": 0}
    await hourly.time.advance(1.1)
    assert hourly.server.links == [new]
    assert hourly.manager.stats()["connections"] == {"active": 1, "total": 1, "successors": 0, "unrouted": 0}
    stats = channel.stats()
    assert (stats["connects"], stats["reconnects"], stats["rotations"], stats["gaps"]) == (2, 0, 1, {})
    assert stats["successor"] is None
    await hourly.time.advance(3601)
    assert channel.stats()["rotations"] == 2
    assert hourly.server.most == 2


async def test_what_still_comes_over_the_old_connection_is_received_until_it_is_closed(hourly: Scripted) -> None:
    channel, old, new = await rotate(hourly)
    old.say("the last")
    new.say("the first")
    assert channel.history.last == 2
    await hourly.time.advance(1.1)
    assert not old.open
    old.listener.on_batch([b"late"], None)
    assert channel.history.last == 2
    assert channel.history.gaps == {}


async def test_sends_go_to_the_new_connection_alone_once_that_is_ready(hourly: Scripted) -> None:
    channel = await hold(hourly)
    old = hourly.server.link
    await channel.send(b"before", binary=False, timeout=1.0)
    old.slow_close = 60.0
    await go_on(hourly)
    await channel.send(b"after", binary=False, timeout=1.0)
    assert [payload for payload, _ in old.sent] == [b"before"]
    assert [payload for payload, _ in hourly.server.links[-1].sent] == [b"after"]


async def test_a_send_that_the_closing_connection_did_not_take_goes_over_the_new_one(hourly: Scripted) -> None:
    channel = await hold(hourly)
    full: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def wait_for_room(payload: bytes, **_: object) -> None:
        await full
        raise NotSent("the connection is closed")

    hourly.server.link.send = wait_for_room  # type: ignore[method-assign]  # a full buffer
    sending = asyncio.ensure_future(channel.send(b"hello", binary=False, timeout=5.0))
    await hourly.time.settle()
    await go_on(hourly)
    full.set_result(None)
    await sending
    assert hourly.server.link.sent == [(b"hello", False)]


async def test_status_says_that_it_is_rotating_and_what_became_of_it(hourly: Scripted) -> None:
    channel = await hold(hourly)
    shown, text = channel.status(), "connected and ready; rotating, the next connection: dialling ws://192.0.2.1/ws"
    assert (shown["state"], shown["reason"]) == ("ready", {"code": "rotating", "text": text})
    assert channel.stats()["successor"]["state"] == "connecting"
    await go_on(hourly)
    assert channel.status()["reason"] == {"code": "ready", "text": "connected and ready"}


async def test_a_successor_that_fails_is_tried_again_with_backoff_and_the_connection_stays(hourly: Scripted) -> None:
    channel, first = hourly.channel, hourly.server.link
    hourly.server.always = REFUSED
    await hourly.time.advance(3600 + 30)
    assert (channel.state, hourly.server.links) == (S.READY, [first])
    began = [at for at, _ in hourly.server.dials][1:]
    assert [round(b - a) for a, b in pairwise(began)][:3] == [1, 2, 4]
    text = channel.status()["reason"]["text"]
    assert "rotates again later, the next connection failed: connection refused" in text
    hourly.server.always = None
    await hourly.time.advance(8.1)
    assert (channel.state, channel.stats()["rotations"], first.open) == (S.READY, 1, False)


async def test_a_successor_that_is_closed_at_once_does_not_take_the_place_of_a_healthy_connection(
    hourly: Scripted,
) -> None:
    first = hourly.server.link
    hourly.server.on_open = lambda link: link.end(closed(1013))
    await hourly.time.advance(3700)
    assert hourly.server.links == [first]
    assert hourly.channel.stats()["connects"] == 1


async def test_a_successor_that_is_closed_before_it_answers_a_ping_is_closed_at_once_as_well(hourly: Scripted) -> None:
    first, loop = hourly.server.link, asyncio.get_running_loop()

    def accept_and_close(link: ScriptedLink) -> None:
        link.deaf = True
        loop.call_soon(link.end, closed(1013))  # a connection reports nothing before it is open

    hourly.server.on_open = accept_and_close
    await hourly.time.advance(3700)
    assert hourly.server.links == [first]
    assert len(hourly.server.dials) > 2
    assert (hourly.channel.stats()["connects"], hourly.channel.counters.gaps) == (1, {})


async def test_a_successor_that_answers_no_ping_does_not_take_over_unless_no_pings_are_declared() -> None:
    for ping, connects in ((20.0, 1), (None, 2)):
        async with scripted(channel_plan(rotate=HOURLY, keepalive=Keepalive(ping=ping, timeout=10.0))) as it:
            it.server.on_open = lambda link: setattr(link, "deaf", True)
            await it.time.advance(3602)
            assert (it.channel.state, it.channel.stats()["connects"]) == (S.READY, connects)


async def test_a_successor_that_is_refused_for_good_is_not_dialled_again() -> None:
    async with scripted(channel_plan(rotate=HOURLY, verdicts=(parse_verdicts({"410": "stop"}),))) as it:
        it.server.always = status(410)
        await it.time.advance(20_000)
        it.network(online=True)
        await it.time.advance(20_000)
        assert len(it.server.dials) == 2
        assert it.channel.state is S.READY


async def test_a_connection_that_ends_in_a_rotation_is_followed_by_the_successor_without_a_third_dial(
    hourly: Scripted,
) -> None:
    channel = await hold(hourly)
    hourly.server.link.end(closed(1006))
    await hourly.time.settle()
    assert (channel.state, hourly.manager.stats()["connections"]["successors"]) == (S.CONNECTING, 0)
    await go_on(hourly)
    assert (channel.state, len(hourly.server.dials)) == (S.READY, 2)
    stats = channel.stats()
    assert (stats["connects"], stats["reconnects"], stats["rotations"], stats["gaps"]) == (2, 0, 1, {})
    assert stats["short_outages"] == 0
    assert stats["last_close"]["code"] == 1006


async def test_a_successor_that_is_ready_too_late_ends_an_outage(hourly: Scripted) -> None:
    channel = await hold(hourly)
    hourly.server.link.end(closed(1000))
    await hourly.time.advance(HANDOVER + 0.1)
    await go_on(hourly)
    stats = channel.stats()
    assert (channel.state, stats["reconnects"], stats["rotations"], stats["gaps"]) == (S.READY, 1, 0, {"outage": 1})


async def test_an_outage_after_a_successor_that_fails_begins_with_the_end_of_the_old_connection(
    hourly: Scripted,
) -> None:
    channel = await hold(hourly)
    lost_at = hourly.time.wall()
    hourly.server.link.end(closed(1000))
    hourly.server.refusals = [REFUSED]
    await go_on(hourly)
    hourly.server.hold = None
    assert channel.state is S.WAITING
    await hourly.time.advance(3)
    stats = channel.stats()
    assert (channel.state, stats["reconnects"], stats["gaps"]) == (S.READY, 1, {"outage": 1})
    gap = channel.history.read(channel.history.seek_start().cursor)
    assert gap is not None
    assert isinstance(gap.item, GapRecord)
    assert gap.item.start == pytest.approx(lost_at)


async def test_the_tokens_of_a_connection_that_ended_are_dropped_and_not_those_of_its_successor() -> None:
    tokens = {"session": TokenSource.model_validate({"value": "s3cret"})}
    async with scripted(with_token(channel_plan(rotate=HOURLY)), tokens=tokens) as it:
        channel = await hold(it)
        await it.manager.broker.refresh("session")
        newer = it.manager.broker.peek("session")
        it.server.link.end(closed(4401))
        await go_on(it)
        assert channel.state is S.READY
        assert it.manager.broker.peek("session") == newer


@pytest.mark.parametrize("how", ["stop", "pause", "remove"])
async def test_a_channel_whose_new_connection_is_lost_takes_nothing_from_the_old_one_once_it_is_left(
    hourly: Scripted, how: str
) -> None:
    channel, old, new = await rotate(hourly)
    hourly.server.always = REFUSED
    new.end(closed(1006))
    old.say("while it waits")
    assert (channel.state, channel.history.last) == (S.WAITING, 1)
    if how == "remove":
        hourly.manager.apply(replace(hourly.plan, channels={}))
    else:
        getattr(channel, how)()
    old.say("late")
    assert channel.history.last == 1


@pytest.mark.parametrize("how", ["stop", "pause", "restart"])
@pytest.mark.parametrize("opened", [False, True], ids=["connecting", "draining"])
async def test_what_is_closed_by_hand_in_a_rotation_closes_both(hourly: Scripted, how: str, opened: bool) -> None:
    channel = await hold(hourly)
    first = hourly.server.link
    first.slow_close = 60.0
    if opened:
        await go_on(hourly)
        assert len(hourly.server.links) == 2
    getattr(channel, how)()
    first.say("too late")
    if not opened:
        await go_on(hourly)
    await hourly.time.advance(1.1)
    assert channel.history.last == 0
    assert not first.open
    assert len(hourly.server.links) == (1 if how == "restart" else 0)
    assert hourly.server.most <= 2
    assert channel.stats()["successor"] is None


async def test_a_lazy_channel_that_nobody_uses_any_more_closes_both() -> None:
    async with scripted(channel_plan(rotate=HOURLY, eager=False)) as it:
        with it.channel.use():
            await it.time.settle()
            await hold(it)
        await it.time.advance(0.1)
        await go_on(it)
        assert it.server.links == []
        assert it.channel.state is S.IDLE


async def test_a_rotation_waits_until_the_connection_before_the_last_is_closed() -> None:
    async with scripted(channel_plan(rotate=Rotate(max_age=1.0))) as it:
        it.server.on_open = lambda link: setattr(link, "slow_close", 60.0)
        it.server.link.slow_close = 60.0
        await it.time.advance(60)
        assert it.server.most == 2
        assert len(it.server.dials) > 20


async def test_a_new_connection_is_held_back_as_the_old_one_was_which_reads_on(hourly: Scripted) -> None:
    channel = await hold(hourly)
    old = hourly.server.link
    old.slow_close = 60.0
    channel.backpressure.report_history(True)
    await go_on(hourly)
    assert (old.reading, hourly.server.links[-1].reading) == (True, False)
    channel.backpressure.report_history(False)
    assert hourly.server.links[-1].reading
