"""Channels made from templates: one for each name, bounded in number, dropped some time after they closed."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest

from tests.daemon.registry.test_manager import CONSULTATIONS, apply
from tests.daemon.scripted import changed, channel_plan, scripted, status
from wscli.core.backoff import LookAgain
from wscli.core.states import ChannelState as S
from wscli.daemon.registry.template_channels import FORGET_AFTER, MAX_TEMPLATE_CHANNELS
from wscli.errors import UnknownChannel

PATIENT = changed(CONSULTATIONS, look_again=LookAgain(6 * FORGET_AFTER, declared=True))


async def test_a_template_makes_one_channel_a_name_with_its_own_path() -> None:
    async with scripted(CONSULTATIONS) as it:
        channel = it.manager.channel("consultations/42")
        assert it.manager.channel("consultations/42") is channel
        with channel.use(), it.manager.channel("consultations/43").use():
            await it.time.settle()
            assert [target.url for _, target in it.server.dials] == [
                "ws://192.0.2.1/ws/consultations/42",
                "ws://192.0.2.1/ws/consultations/43",
            ]


async def test_a_literal_channel_beats_a_template() -> None:
    async with scripted(CONSULTATIONS, channel_plan("consultations/all", critical=False)) as it:
        assert it.manager.channel("consultations/all").plan.critical is False


async def test_channels_of_templates_are_bounded_and_dropped_some_time_after_they_closed() -> None:
    async with scripted(CONSULTATIONS) as it:
        for number in range(MAX_TEMPLATE_CHANNELS):
            it.manager.channel(f"consultations/{number}")
        with ExitStack() as uses:
            for channel in it.manager.channels():
                uses.enter_context(channel.use())
            with pytest.raises(UnknownChannel, match="one more than 1000 channels of templates in use or held"):
                it.manager.channel("consultations/more")
        await it.time.advance(31)
        await it.time.advance(FORGET_AFTER - 2)
        assert len(it.manager.channels()) == MAX_TEMPLATE_CHANNELS
        await it.time.advance(2)
        assert it.manager.channels() == []


async def test_a_channel_that_was_never_opened_is_dropped_too_and_a_stopped_one_is_not() -> None:
    async with scripted(CONSULTATIONS) as it:
        it.manager.channel("consultations/42")
        stopped = it.manager.channel("consultations/7")
        stopped.stop()
        await it.time.advance(FORGET_AFTER + 1)
        assert it.manager.channels() == [stopped]
        await it.time.advance(FORGET_AFTER * 2)
        assert (it.manager.channels(), stopped.state) == ([stopped], S.STOPPED)


async def test_a_failed_channel_that_is_dialled_again_later_is_not_dropped_before() -> None:
    async with scripted(PATIENT) as it:
        it.server.always = status(401)
        channel = it.manager.channel("consultations/42")
        channel.start()
        await it.time.advance(60)
        assert (channel.state, channel.snapshot.next.action) == (S.FAILED, "retry")
        it.server.always = None
        await it.time.advance(6 * FORGET_AFTER)
        assert (it.manager.channels(), channel.state) == ([channel], S.READY)


async def test_a_failed_channel_without_a_use_is_dropped_once_it_would_be_dialled_again() -> None:
    async with scripted(PATIENT) as it:
        it.server.always = status(401)
        with it.manager.channel("consultations/42").use():
            await it.time.advance(60)
        await it.time.advance(8 * FORGET_AFTER)
        assert it.manager.channels() == []


async def test_a_reload_that_renames_a_parameter_redials() -> None:
    async with scripted(CONSULTATIONS) as it:
        with it.manager.channel("consultations/42").use():
            await it.time.settle()
            renamed = replace(channel_plan("consultations/{room}", linger=30.0), params=("room",), eager=False)
            assert apply(it, renamed) == {"restarted": ["consultations/42"]}
            await it.time.settle()
            assert it.manager.channel("consultations/42").state is S.READY
            assert it.server.link.target.url == "ws://192.0.2.1/ws/consultations/42"


async def test_a_channel_that_a_reload_moves_to_a_template_and_back_keeps_working() -> None:
    literal = channel_plan("consultations/42")
    async with scripted(literal) as it:
        apply(it, CONSULTATIONS)
        await it.time.settle()
        assert it.manager.channel("consultations/42").state is S.READY
        await it.time.advance(31)
        assert it.manager.channel("consultations/42").state is S.IDLE
        apply(it, replace(literal, eager=False))
        channel = it.manager.channel("consultations/42")
        await it.time.advance(FORGET_AFTER * 2)
        assert it.manager.channel("consultations/42") is channel
        apply(it, CONSULTATIONS)
        await it.time.advance(FORGET_AFTER + 1)
        assert it.manager.channels() == []


async def test_at_the_limit_the_channel_that_closed_first_is_dropped() -> None:
    async with scripted(CONSULTATIONS) as it:
        for number in range(MAX_TEMPLATE_CHANNELS):
            it.manager.channel(f"consultations/{number}")
        with it.manager.channel("consultations/0").use():
            it.manager.channel("consultations/more")
            names = [channel.name for channel in it.manager.channels()]
            assert len(names) == MAX_TEMPLATE_CHANNELS
            assert "consultations/0" in names
            assert "consultations/1" not in names
