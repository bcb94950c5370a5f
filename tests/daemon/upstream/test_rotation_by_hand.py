"""A rotation by hand: ``wscli rotate``."""

from __future__ import annotations

import asyncio

import pytest

from tests.daemon.scripted import channel_plan, scripted
from wscli.config.models.upstream import Rotate
from wscli.core.states import ChannelState as S


@pytest.mark.parametrize("declared", [None, Rotate(max_age=3600.0)])
async def test_it_opens_the_next_connection_before_the_present_one_closes(declared: Rotate | None) -> None:
    async with scripted(channel_plan("news", rotate=declared)) as it:
        channel, old = it.channel, it.server.link
        old.slow_close = 60.0
        channel.rotate()
        await it.time.settle()
        old, new = it.server.links
        assert (channel.state, channel.connection) == (S.READY, new)
        old.listener.on_batch([b"late"], None)
        new.listener.on_batch([b"new"], None)
        assert channel.history.last == 2
        stats = channel.stats()
        assert (stats["reconnects"], stats["rotations"], stats["gaps"]) == (0, 1, {})


async def test_a_second_one_begins_again_and_there_are_never_more_than_two_connections() -> None:
    async with scripted(channel_plan("news")) as it:
        it.server.hold = asyncio.get_running_loop().create_future()
        for _ in range(3):
            it.channel.rotate()
            await it.time.settle()
            assert (it.channel.state, len(it.server.links)) == (S.READY, 1)
            assert "rotating" in it.channel.status()["reason"]["text"]
        it.server.hold.set_result(None)
        await it.time.advance(2)
        assert (it.channel.stats()["rotations"], len(it.server.links)) == (1, 1)


@pytest.mark.parametrize("state", [S.PAUSED, S.STOPPED, S.IDLE])
async def test_a_channel_that_is_not_open_is_started(state: S) -> None:
    async with scripted(channel_plan("news", eager=state is not S.IDLE)) as it:
        if state is not S.IDLE:
            it.channel.pause() if state is S.PAUSED else it.channel.stop()
        assert it.channel.state is state
        it.channel.rotate()
        await it.time.settle()
        assert it.channel.state is S.READY
