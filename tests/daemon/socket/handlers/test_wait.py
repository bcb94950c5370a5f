"""``wait``: until every channel is there, and no longer than anybody waits."""

from __future__ import annotations

import asyncio

import pytest

from tests.daemon.served import Served
from tests.waiting import eventually
from wscli.control.protocol import request_line
from wscli.core.states import SETTLED, ChannelState
from wscli.errors import AuthError, ChannelUnavailable, UnknownChannel

BOTH = {"channels": ["notifications", "calls"]}


async def test_it_answers_when_the_last_channel_is_ready(served: Served) -> None:
    calls = served.calls
    await served.bring(calls, ChannelState.CONNECTING)
    waiting = asyncio.create_task(served.ask("wait", BOTH))
    await eventually(lambda: calls.in_use)
    assert not waiting.done()
    await served.bring(calls, ChannelState.READY)
    answer = await waiting
    assert [one["state"] for one in answer["channels"]] == ["ready", "ready"]
    assert not calls.in_use


async def test_waiting_for_ready_holds_a_lazy_channel_open_and_waiting_for_another_state_does_not(
    served: Served,
) -> None:
    calls = served.calls
    waiting = asyncio.create_task(served.ask("wait", {"channels": ["calls"], "for": "idle"}))
    await eventually(lambda: served.server.clients)
    assert not calls.in_use
    await served.bring(calls, ChannelState.IDLE)
    await waiting


@pytest.mark.parametrize("state", sorted(SETTLED))
async def test_a_channel_that_settled_elsewhere_is_an_error_at_once(served: Served, state: ChannelState) -> None:
    await served.bring(served.calls, ChannelState.WAITING)
    waiting = asyncio.create_task(served.ask("wait", BOTH))
    await eventually(lambda: served.calls.in_use)
    await served.bring(served.calls, state)
    with pytest.raises(ChannelUnavailable, match=f"'calls' is {state}"):
        await waiting


async def test_refused_credentials_are_4(served: Served) -> None:
    await served.bring(served.calls, ChannelState.FAILED, refused=True)
    with pytest.raises(AuthError):
        await served.ask("wait", BOTH)


async def test_a_settled_state_can_be_waited_for(served: Served) -> None:
    await served.bring(served.calls, ChannelState.STOPPED)
    assert await served.ask("wait", {"channels": ["calls"], "for": "stopped"})


async def test_a_client_that_goes_ends_the_wait(served: Served) -> None:
    calls = served.calls
    await served.bring(calls, ChannelState.WAITING)
    with served.dial() as sock:
        sock.sendall(request_line("wait", BOTH))
        await eventually(lambda: calls.in_use)
    await eventually(lambda: not served.server.clients)
    assert not calls.in_use


async def test_an_unknown_channel_is_refused(served: Served) -> None:
    with pytest.raises(UnknownChannel):
        await served.ask("wait", {"channels": ["nowhere"]})


async def test_without_a_name_it_waits_for_every_eager_critical_channel(served: Served) -> None:
    await served.bring(served.calls, ChannelState.WAITING)
    answer = await served.ask("wait", {})
    assert [one["channel"] for one in answer["channels"]] == ["notifications"]
    served.remove(served.notifications)
    assert await served.ask("wait", {}) == {"channels": []}
