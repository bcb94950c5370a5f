"""When a ready connection is replaced: for its age, for the life of its tokens, and for a reload."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from tests.daemon.scripted import REFUSED, Scripted, changed, channel_plan, scripted, status, with_token
from wscli.config.models.upstream import Rotate
from wscli.control.messages import Reload
from wscli.core.states import ChannelState as S
from wscli.core.verdicts import parse_verdicts
from wscli.tokens.models import TokenSource
from wscli.values import Secret

HOURLY = Rotate(max_age=3600.0)
ELSEWHERE = Secret("ws://192.0.2.1/v2")


def reload(it: Scripted, **changes: Any) -> Reload:
    """Apply changes to the channel."""
    return it.manager.apply(replace(it.manager.plan, channels={"news": changed(it.channel.plan, **changes)}))


async def test_a_channel_without_a_rotation_keeps_its_connection(it: Scripted) -> None:
    await it.time.advance(100_000)
    assert len(it.server.dials) == 1


async def test_no_successor_is_dialled_while_offline(hourly: Scripted) -> None:
    hourly.network(online=False)
    await hourly.time.advance(4000)
    assert len(hourly.server.dials) == 1
    hourly.network(online=True)
    await hourly.time.advance(10)
    assert len(hourly.server.dials) == 2


async def test_a_reload_that_changes_how_to_connect_rotates_where_that_is_declared(hourly: Scripted) -> None:
    channel, old = hourly.channel, hourly.server.link
    old.slow_close = 60.0
    report = reload(hourly, url=ELSEWHERE)
    assert (report["rotated"], report["restarted"]) == (["news"], [])
    assert channel.connection is old
    old.say("until the next is ready")
    await hourly.time.settle()
    assert channel.connection is hourly.server.links[-1] is not old
    assert hourly.server.links[-1].target.url == "ws://192.0.2.1/v2/news"
    stats = channel.stats()
    assert (stats["rotations"], stats["reconnects"], stats["gaps"], channel.history.last) == (1, 0, {}, 1)


async def test_a_second_reload_gives_up_the_successor_that_the_first_one_dials(hourly: Scripted) -> None:
    hourly.server.hold = asyncio.get_running_loop().create_future()
    before = hourly.channel.plan.upstream.dial.url
    reload(hourly, url=ELSEWHERE)
    await hourly.time.settle()
    reload(hourly, url=before)
    await hourly.time.settle()
    hourly.server.hold.set_result(None)
    await hourly.time.advance(2.0)
    assert hourly.server.link.target.url == "ws://192.0.2.1/ws/news"
    assert hourly.channel.stats()["rotations"] == 1


async def test_a_reload_to_what_cannot_be_reached_leaves_the_connection_that_works(hourly: Scripted) -> None:
    hourly.server.refusals = [REFUSED, status(410)]
    reload(hourly, url=ELSEWHERE, verdicts=(parse_verdicts({"410": "stop"}),))
    await hourly.time.advance(5.0)
    assert hourly.channel.state is S.READY
    text = "connected and ready; rotates no more, the next connection was refused: HTTP 410"
    assert hourly.channel.snapshot.reason.text == text


async def test_the_keys_of_a_reload_apply_to_the_connection_that_is_open(it: Scripted) -> None:
    await it.time.advance(7000)
    reload(it, rotate=HOURLY)
    await it.time.advance(2)
    assert it.channel.stats()["rotations"] == 1, "older than that already"
    reload(it, rotate=None)
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
    plan = channel_plan(rotate=HOURLY, verdicts=(parse_verdicts({"401": "reauth"}),))
    async with scripted(with_token(plan), tokens={"session": TokenSource.model_validate({"value": "s3cret"})}) as it:
        it.server.refusals = [status(401)]
        await it.time.advance(3610)
        assert it.manager.broker.stats()["session"]["fetches"] == 2
        assert it.channel.stats()["rotations"] == 1
