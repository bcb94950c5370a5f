"""A lazy channel's backoff outlives its last use, and so do the words of why its last attempt failed."""

from __future__ import annotations

import asyncio

import pytest

from tests.daemon.scripted import REFUSED, Scripted, channel_plan, closed, scripted
from wscli.core.states import ChannelState as S
from wscli.errors import NotSent


async def use_often(it: Scripted, seconds: float) -> int:
    """Use the channel for a moment, each half second, and give the number of dials."""
    for _ in range(int(seconds * 2)):
        await it.use_once()
        await it.time.advance(0.5)
    return len(it.server.dials)


async def test_uses_one_after_the_other_dial_no_sooner_than_the_backoff(lazy: Scripted) -> None:
    lazy.server.always = REFUSED
    assert await use_often(lazy, 31) == 6  # after waits of 1, 2, 4, 8 and 8 s


async def test_a_server_that_accepts_and_closes_at_once_is_backed_off_from_by_short_uses(lazy: Scripted) -> None:
    lazy.server.on_open = lambda link: link.end(closed(1000))
    assert await use_often(lazy, 31) == 6


async def test_dials_that_no_use_outlasts_are_backed_off_from(lazy: Scripted) -> None:
    lazy.server.hold = asyncio.get_running_loop().create_future()
    assert await use_often(lazy, 31) == 6
    lazy.server.hold.set_result(None)
    lazy.server.hold = None
    await lazy.time.advance(8)
    with lazy.channel.use():
        await lazy.time.settle()
        assert lazy.channel.state is S.READY


async def test_a_use_within_the_wait_shows_it_and_dials_when_it_is_over(lazy: Scripted) -> None:
    lazy.server.refusals = [REFUSED]
    await lazy.use_once()
    await lazy.time.advance(0.4)
    with lazy.channel.use():
        await lazy.time.settle()
        shown = lazy.channel.status()
        assert (shown["state"], shown["reason"]["text"]) == ("waiting", "connection refused by 192.0.2.1:80")
        assert shown["next"] == {"action": "retry", "at": pytest.approx(lazy.time.wall() + 0.6)}
        await lazy.time.advance(0.61)
        assert lazy.channel.state is S.READY
    await lazy.time.advance(0.1)
    assert lazy.channel.status()["reason"]["text"] == "not in use"


async def test_an_idle_channel_says_why_its_last_attempt_failed(lazy: Scripted) -> None:
    lazy.server.always = REFUSED
    await lazy.use_once()
    for seconds in (0, 60):
        await lazy.time.advance(seconds)
        shown = lazy.channel.status()
        assert shown["state"] == "idle"
        assert shown["reason"]["text"] == "not in use; last attempt: connection refused by 192.0.2.1:80"


@pytest.mark.parametrize("by_hand", ["start", "restart"])
async def test_by_hand_it_is_dialled_at_once(lazy: Scripted, by_hand: str) -> None:
    lazy.server.always = REFUSED
    await use_often(lazy, 5)
    before = len(lazy.server.dials)
    getattr(lazy.channel, by_hand)()
    await lazy.time.settle()
    assert len(lazy.server.dials) == before + 1


async def test_a_template_channel_that_waits_is_not_forgotten() -> None:
    slow = channel_plan("rooms/{id}").upstream.backoff.model_copy(update={"initial": 3600.0, "max": 3600.0})
    async with scripted(channel_plan("rooms/{id}", backoff=slow)) as it:
        it.server.refusals = [REFUSED]
        for seconds, dials in ((1800, 1), (1700, 1), (101, 2)):
            with it.manager.channel("rooms/1").use():
                await it.time.settle()
            await it.time.advance(seconds)
            with it.manager.channel("rooms/1").use():
                await it.time.settle()
            assert len(it.server.dials) == dials


async def test_a_network_that_comes_and_goes_dials_nothing_that_is_not_in_use(lazy: Scripted) -> None:
    lazy.server.refusals = [REFUSED]
    await lazy.use_once()
    for online in (False, True, False, True):
        lazy.network(online=online)
        await lazy.time.advance(0.1)
    await lazy.time.advance(60)
    assert (len(lazy.server.dials), lazy.channel.state) == (1, S.IDLE)


async def test_nothing_is_handed_over_while_the_network_is_lost_and_no_pong_came(it: Scripted) -> None:
    link = it.server.link
    link.deaf = True
    it.network(online=False)
    await it.time.settle()
    shown = it.channel.status()
    assert (shown["state"], shown["reason"]) == ("ready", {"code": "probing", "text": "no network; probing"})
    with pytest.raises(NotSent, match="ready: no network; probing"):
        await it.channel.send(b"lost", binary=False, timeout=0.01)
    assert link.sent == []
    sending = asyncio.ensure_future(it.channel.send(b"kept", binary=False, timeout=60))
    await it.time.advance(10.01)
    assert it.channel.state is S.OFFLINE
    it.network(online=True)
    await it.time.settle()
    await sending
    assert it.server.link.sent == [(b"kept", False)]


async def test_nothing_is_handed_over_once_the_route_begins_at_another_address_until_a_pong_came(it: Scripted) -> None:
    it.server.link.deaf = True
    it.server.source = "198.51.100.9"
    it.manager.network_changed()
    await it.time.settle()
    assert it.channel.status()["reason"] == {"code": "probing", "text": "the network changed; probing"}
    with pytest.raises(NotSent, match="ready: the network changed; probing"):
        await it.channel.send(b"lost", binary=False, timeout=0.01)
    await it.time.advance(11.01)
    assert it.channel.status()["reason"]["code"] == "ready"
    it.manager.network_changed()
    assert it.channel.status()["reason"]["code"] == "ready"


async def test_a_connection_that_outlived_its_network_takes_messages_again_with_the_pong(it: Scripted) -> None:
    it.server.link.deaf = True
    it.network(online=False)
    await it.time.settle()
    sending = asyncio.ensure_future(it.channel.send(b"kept", binary=False, timeout=60))
    await it.time.settle()
    assert not sending.done()
    it.server.link.answer_pings()
    await it.time.settle()
    await sending
    assert it.channel.status()["reason"]["code"] == "ready"
    assert it.channel.counters.connects == 1
