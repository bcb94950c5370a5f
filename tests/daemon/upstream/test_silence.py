"""``silence``: a connection that brings no message is lost, and dialled again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.daemon.scripted import Scripted, changed, channel_plan, scripted
from wscli.core.states import ChannelState as S
from wscli.templates import compile_path

PLAN = channel_plan(silence=60.0)


def ends(it: Scripted) -> dict[str, int]:
    return it.channel.stats()["reconnects_by_reason"]


async def test_a_connection_that_brings_nothing_is_lost_and_says_so() -> None:
    async with scripted(PLAN) as it:
        await it.time.advance(59.9)
        assert it.channel.state is S.READY
        await it.time.advance(0.2)
        status = it.channel.status()
        assert (status["state"], status["reason"]) == (
            "waiting",
            {"code": "silence:1006", "text": "no message within 1m"},
        )
        await it.time.advance(1.01)
        assert (it.channel.state, ends(it)) == (S.READY, {"silence:1006": 1})


async def test_each_message_begins_the_time_anew() -> None:
    async with scripted(PLAN) as it:
        for _ in range(5):
            await it.time.advance(59.0)
            it.server.link.say("hello")
        await it.time.advance(59.9)
        assert (it.channel.state, len(it.server.dials)) == (S.READY, 1)
        await it.time.advance(0.2)
        assert it.channel.state is S.WAITING


async def test_pongs_are_no_messages() -> None:
    async with scripted(changed(PLAN, silence=45.0)) as it:
        await it.time.advance(45.1)
        assert it.channel.counters.rtt is not None
        assert it.channel.state is S.WAITING


async def test_time_in_which_reading_is_held_does_not_count() -> None:
    async with scripted(PLAN) as it:
        await it.time.advance(50.0)
        it.channel.subscription.hold(True)
        await it.time.advance(200.0)
        assert it.channel.state is S.READY
        it.channel.subscription.hold(False)
        await it.time.advance(59.9)
        assert it.channel.state is S.READY
        await it.time.advance(0.2)
        assert it.channel.state is S.WAITING


async def test_a_channel_that_holds_beside_one_that_does_not_is_no_message() -> None:
    plans = [changed(channel_plan(name, share=True, silence=60.0), path=compile_path("/all")) for name in ("news", "x")]
    async with scripted(*plans) as it:
        await it.time.advance(50.0)
        it.channel.subscription.hold(True)
        it.channel.subscription.hold(False)
        it.channel.stop()
        await it.time.advance(10.1)
        assert it.manager.channel("x").state is S.WAITING


@pytest.mark.parametrize(("silence", "after", "state"), [(None, 600.0, S.READY), (5.0, 5.1, S.WAITING)])
async def test_a_reload_changes_the_time_of_an_open_connection(silence: float | None, after: float, state: S) -> None:
    async with scripted(PLAN) as it:
        await it.time.advance(50.0)
        channels = {"news": changed(PLAN, silence=silence)}
        assert it.manager.apply(replace(it.manager.plan, channels=channels))["updated"] == ["news"]
        await it.time.advance(after)
        assert it.channel.state is state


async def test_a_server_that_is_always_silent_is_a_stated_problem() -> None:
    async with scripted(changed(PLAN, silence=5.0)) as it:
        await it.time.advance(30.0)
        assert any("no message within 5s" in problem for problem in it.channel.status()["problems"])
