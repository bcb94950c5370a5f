"""A failed channel is dialled again, slowly, and says when."""

from __future__ import annotations

import logging
from itertools import pairwise

import pytest

from tests.daemon.scripted import channel_plan, closed, scripted, status
from wscli.core.backoff import LookAgain
from wscli.core.failures import Failure, FailureKind
from wscli.core.states import ChannelState as S

EXPIRED = Failure(FailureKind.CERTIFICATE, "certificate has expired")
SLOWLY = LookAgain(600.0, declared=False)


async def test_a_channel_whose_cause_mended_itself_comes_back_by_itself() -> None:
    async with scripted(channel_plan(look_again=SLOWLY, eager=False)) as it:
        it.server.always = EXPIRED
        it.channel.start()
        await it.time.advance(4)
        status = it.channel.status()
        assert (status["state"], status["next"]["action"]) == ("failed", "retry")
        assert 4.5 <= (status["next"]["at"] or 0.0) - it.time.wall() + 1.0 <= 5.0
        assert 3.5 <= (it.channel.stats()["retry_in_s"] or 0.0) <= 4.0
        it.server.always = None
        await it.time.advance(4)
        assert (it.channel.state, len(it.server.dials)) == (S.READY, 4)


async def test_it_is_dialled_ever_more_slowly_up_to_every_ten_minutes() -> None:
    async with scripted(channel_plan(look_again=SLOWLY)) as it:
        it.server.always = EXPIRED
        it.server.link.end(closed(1006))
        await it.time.advance(3600)
        waits = [later - sooner for (sooner, _), (later, _) in pairwise(it.server.dials)]
        assert 540.0 <= waits[-1] <= 600.0
        assert len(it.server.dials) < 18


async def test_a_failed_channel_stays_as_it_is_where_that_is_declared() -> None:
    async with scripted(channel_plan(look_again=None, eager=False)) as it:
        it.server.always = status(410)
        it.channel.start()
        await it.time.advance(100_000)
        assert (it.channel.state, len(it.server.dials)) == (S.FAILED, 3)
        assert it.channel.status()["next"] == {"action": "start", "at": None}


async def test_a_lazy_channel_that_failed_can_be_used_again_once_it_would_be_looked_at() -> None:
    async with scripted(channel_plan(look_again=SLOWLY, eager=False)) as it:
        it.server.always = status(410)
        with it.channel.use():
            await it.time.advance(4)
            assert it.channel.state is S.FAILED
        dials = len(it.server.dials)
        await it.time.advance(10)
        assert (it.channel.state, len(it.server.dials)) == (S.IDLE, dials), "no dial without a use"
        it.server.always = None
        with it.channel.use():
            await it.time.settle()
            assert it.channel.state is S.READY


async def test_the_log_says_once_that_it_failed_and_when_it_is_ready_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "wscli.channel")
    async with scripted(channel_plan(look_again=SLOWLY)) as it:
        it.server.always = EXPIRED
        it.server.link.end(closed(1006))
        await it.time.advance(60)
        it.server.always = None
        await it.time.advance(120)
        said = [message for message in caplog.messages if "not connected" not in message]
        assert said[:2] == ["news: ready", "news: failed: certificate has expired"]
        assert [message[:24] for message in said[2:]] == ["news: ready again after "]
        it.server.always = EXPIRED
        it.server.link.end(closed(1006))
        await it.time.advance(8)
        it.channel.start()
        await it.time.advance(8)
        assert said[1:2] * 2 == caplog.messages[-2:], "by hand it is told again"


@pytest.mark.parametrize("by_hand", ["start", "restart"])
async def test_a_failed_channel_is_dialled_at_once_by_hand(by_hand: str) -> None:
    async with scripted(channel_plan(look_again=LookAgain(600.0, declared=True), eager=False)) as it:
        it.server.always = status(401)
        it.channel.start()
        await it.time.advance(4)
        it.server.always = None
        getattr(it.channel, by_hand)()
        await it.time.settle()
        assert it.channel.state is S.READY
        await it.time.advance(600)
        assert len(it.server.dials) == 4, "the look that was due is not made"


async def test_one_programs_message_does_not_fail_the_channel_for_all() -> None:
    async with scripted(channel_plan(look_again=None)) as it:
        for _ in range(6):
            await it.channel.send(b"subscribe", binary=False, timeout=1.0)
            it.server.link.end(closed(4401))
            await it.time.advance(9)
            assert it.channel.state is S.READY
