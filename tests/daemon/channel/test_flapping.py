"""Flapping: a channel that is lost again and again is announced once, is a problem meanwhile, and is summed up."""

from __future__ import annotations

import logging

import pytest

from tests.daemon.scripted import Scripted, changed, channel_plan, closed, scripted
from wscli.core.backoff import BackoffPolicy
from wscli.core.states import ChannelState as S

FAST = BackoffPolicy(initial=0.1, max=0.1, jitter="none")
PLAN = channel_plan(backoff=FAST)
WHY = "closed by the server: 1006"


class Told:
    """The lines of the channel at level info and above, but for those of its states."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def __call__(self) -> list[tuple[str, str]]:
        records = [one for one in self._caplog.records if one.name == "wscli.channel"]
        return [(one.levelname, one.message) for one in records if "ready" not in one.message]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Told:
    caplog.set_level(logging.INFO, "wscli.channel")
    return Told(caplog)


async def lose(it: Scripted, times: int, every: float = 1.0) -> None:
    for _ in range(times):
        it.server.link.end(closed(1006))
        await it.time.advance(every)


async def test_two_short_outages_are_counted_and_not_announced(told: Told) -> None:
    async with scripted(PLAN) as it:
        await lose(it, 2)
        await it.time.advance(120)
        assert (told(), it.channel.status()["problems"]) == ([], [])


async def test_short_outages_in_a_row_are_announced_once_and_summed_up_when_they_have_stopped(told: Told) -> None:
    async with scripted(PLAN) as it:
        await lose(it, 10)
        assert told() == [("WARNING", f"news: lost 3 times in the last minute: {WHY}")]
        assert it.channel.status()["problems"] == [f"connection: lost 10 times in the last minute: {WHY}"]
        assert it.channel.stats()["problems"] == it.channel.status()["problems"]
        await it.time.advance(58)
        assert it.channel.status()["problems"]
        await it.time.advance(11)
        assert it.channel.status()["problems"] == []
        assert told()[1:] == [("INFO", f"news: was lost 10 times in 9s: {WHY}")]
        await lose(it, 2)
        assert it.channel.status()["problems"] == [], "what was summed up counts no more"


async def test_rare_outages_are_announced_as_those_of_an_hour(told: Told) -> None:
    async with scripted(PLAN) as it:
        await lose(it, 9, every=300.0)
        assert told() == []
        await lose(it, 1)
        assert told() == [("WARNING", f"news: lost 10 times in the last hour: {WHY}")]
        await it.time.advance(920)
        assert it.channel.status()["problems"] == []


async def test_flapping_that_goes_on_is_told_again_each_hour_and_not_at_each_loss(told: Told) -> None:
    async with scripted(PLAN) as it:
        await lose(it, 240, every=30.0)
        assert [level for level, _ in told()] == ["WARNING"] * 2
        assert len(it.time.pending) < 10


async def test_a_manager_that_stops_sums_the_flapping_up(told: Told) -> None:
    async with scripted(PLAN) as it:
        await lose(it, 5)
    assert told()[1:] == [("INFO", f"news: was lost 5 times in 4s: {WHY}")]


@pytest.mark.parametrize("how", ["restart", "stop start", "pause resume"])
async def test_what_is_done_by_hand_is_no_flapping(how: str, told: Told) -> None:
    async with scripted(PLAN) as it:
        for _ in range(5):
            for step in how.split():
                getattr(it.channel, step)()
                await it.time.advance(1.0)
        assert it.channel.status()["problems"] == []
        assert not any("lost" in text for _, text in told())


async def test_a_server_that_accepts_and_closes_at_once_is_flapping_whatever_the_backoff() -> None:
    async with scripted() as it:
        it.server.on_open = lambda link: it.time.schedule(0.5, lambda: link.end(closed(1011))) and None
        it.channel.restart()
        await it.time.advance(40)
        (problem,) = it.channel.status()["problems"]
        assert problem.startswith("connection: lost ")
        it.server.on_open = lambda link: None


async def test_a_lazy_channel_flaps_from_use_to_use() -> None:
    async with scripted(changed(PLAN, eager=False)) as it:
        for _ in range(4):
            with it.channel.use():
                await it.time.advance(0.5)
                it.server.link.end(closed(1011))
            await it.time.advance(2.0)
        assert it.channel.state is S.IDLE
        assert it.channel.status()["problems"]


async def test_a_channel_that_fails_has_its_state_as_reason_and_no_flapping_beside_it() -> None:
    async with scripted(PLAN) as it:
        await lose(it, 3)
        it.server.link.end(closed(1002))
        await it.time.advance(1.0)
        it.channel.stop()
        assert it.channel.status()["problems"] == []
