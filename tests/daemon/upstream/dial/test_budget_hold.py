"""An answer that means the whole endpoint holds back every dial of it, as long as it says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.daemon.scripted import REFUSED, Scripted, changed, channel_plan, closed, scripted, status
from wscli.config.plan import ChannelPlan
from wscli.core.failures import Failure
from wscli.core.states import ChannelState as S
from wscli.core.verdicts import parse_verdicts
from wscli.errors import NotSent
from wscli.values import Rate

NAMES = ("news", "calls", "chat")
TOO_MANY = status(429, retry_after=20.0)


def plans() -> list[ChannelPlan]:
    return [channel_plan(name) for name in NAMES]


async def meets(it: Scripted, failure: Failure) -> None:
    """Let one channel be refused, and lose the connections of the others."""
    it.server.refusals = [failure]
    it.channel.restart()
    await it.time.settle()
    assert it.server.refusals == []
    for link in list(it.server.links):
        link.end(closed(1006))
    await it.time.settle()


@pytest.mark.parametrize("failure", [TOO_MANY, status(503, retry_after=20.0)])
async def test_no_channel_of_the_endpoint_dials_before_the_end_that_the_server_named(failure: Failure) -> None:
    async with scripted(*plans()) as it:
        await meets(it, failure)
        before = len(it.server.dials)
        await it.time.advance(19.9)
        assert len(it.server.dials) == before
        await it.time.advance(0.2)
        assert [it.manager.channel(name).state for name in NAMES] == [S.READY] * 3


async def test_status_says_that_the_endpoint_is_held_back_why_and_how_long() -> None:
    async with scripted(*plans()) as it:
        await meets(it, TOO_MANY)
        await it.time.advance(2)
        shown = it.manager.channel("calls").status()
        assert shown["state"] == "connecting"
        held = "endpoint 'api' is held back: HTTP 429; place 1 in the connect budget of endpoint 'api'"
        assert shown["reason"]["text"] == f"{held}; last attempt: closed by the server: 1006"
        assert shown["next"] == {"action": "dial", "at": pytest.approx(it.time.wall() + 18)}
        with pytest.raises(NotSent, match="connecting: endpoint 'api' is held back: HTTP 429"):
            await it.manager.channel("calls").send(b"x", binary=False, timeout=0.01)


@pytest.mark.parametrize("failure", [REFUSED, status(503), status(500, retry_after=20.0)])
async def test_another_failure_of_one_channel_holds_back_no_other(failure: Failure) -> None:
    async with scripted(*plans()) as it:
        await meets(it, failure)
        await it.time.advance(1.01)
        assert it.manager.channel("calls").state is S.READY


async def test_without_retry_after_the_endpoint_is_held_back_by_the_growing_wait() -> None:
    async with scripted(*plans(), rate=Rate(10, 1.0)) as it:
        await it.time.advance(1)
        it.server.always = status(429)
        for link in list(it.server.links):
            link.end(closed(1006))
        began, before = it.time.now, len(it.server.dials)
        await it.time.advance(25)
        assert [round(at - began, 1) for at, _ in it.server.dials[before:]] == [1, 2, 4, 8, 16, 24]


@pytest.mark.parametrize("by_hand", ["start", "restart", "doctor"])
async def test_by_hand_it_is_dialled_all_the_same(by_hand: str) -> None:
    async with scripted(*plans()) as it:
        await meets(it, TOO_MANY)
        calls = it.manager.channel("calls")
        await it.time.advance(2)
        before = len(it.server.dials)
        if by_hand == "doctor":
            await it.manager.dial_once(calls)
        else:
            calls.stop()
            getattr(calls, by_hand)()
            await it.time.settle()
            assert calls.state is S.READY
        assert len(it.server.dials) == before + 1
        assert it.manager.channel("chat").state is S.CONNECTING


async def test_a_reload_to_another_server_holds_back_nothing() -> None:
    async with scripted(*plans()) as it:
        await meets(it, TOO_MANY)
        await it.time.advance(2)
        moved = {plan.name: changed(plan, compression="none") for plan in it.plan.channels.values()}
        it.manager.apply(replace(it.plan, channels=moved))
        await it.time.settle()
        assert [it.manager.channel(name).state for name in NAMES] == [S.READY] * 3


@pytest.mark.parametrize(("most", "seconds"), [(None, 7200.0), (60.0, 60.0)])
async def test_a_long_retry_after_is_taken_as_given_unless_the_file_cuts_it(most: float | None, seconds: float) -> None:
    verdicts = (parse_verdicts({"503": "retry"}),)
    async with scripted(channel_plan(retry_after_max=most, verdicts=verdicts)) as it:
        it.server.refusals = [status(503, retry_after=7200.0)]
        it.server.link.end(closed(1006))
        await it.time.advance(1.01)
        assert it.channel.stats()["retry_in_s"] == pytest.approx(seconds, abs=0.1)
        await it.time.advance(seconds)
        assert len(it.server.dials) == 3
