"""``start``, ``stop``, ``restart``, ``rotate``, ``pause``, ``resume``: the named channels, all of them or none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.daemon.scripted import changed
from tests.daemon.served import Served
from wscli.core.states import ChannelState
from wscli.errors import UnknownChannel, WscliError
from wscli.templates import compile_path


@pytest.mark.parametrize(
    ("verb", "state"),
    [("start", "connecting"), ("stop", "stopped"), ("restart", "connecting"), ("rotate", "ready"), ("pause", "paused")],
)
async def test_the_named_channel_takes_the_step_and_says_how_it_stands(served: Served, verb: str, state: str) -> None:
    if verb == "start":
        await served.bring(served.calls, ChannelState.STOPPED)
    answer = await served.ask(verb, {"channels": ["calls"]})
    assert [(one["channel"], one["state"]) for one in answer["channels"]] == [("calls", state)]
    assert served.notifications.state is ChannelState.READY


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "rotate", "pause", "resume"])
async def test_one_unknown_name_leaves_all_untouched(served: Served, verb: str) -> None:
    if verb in ("start", "resume"):
        await served.bring(served.calls, ChannelState.PAUSED)
    before = served.calls.status()
    with pytest.raises(UnknownChannel):
        await served.ask(verb, {"channels": ["calls", "nowhere"]})
    assert served.calls.status() == before


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "rotate"])
async def test_they_take_no_silence_for_all(served: Served, verb: str) -> None:
    with pytest.raises(WscliError, match="argument 'channels' is missing"):
        await served.ask(verb, {})


async def test_pause_means_all_and_noncritical_those_that_say_so(served: Served) -> None:
    answer = await served.ask("pause", {"noncritical": True})
    assert [(one["channel"], one["state"]) for one in answer["channels"]] == [("calls", "paused")]
    assert served.notifications.state is ChannelState.READY
    answer = await served.ask("pause")
    assert [one["channel"] for one in answer["channels"]] == ["notifications", "calls"]
    with pytest.raises(WscliError, match="exclude each other"):
        await served.ask("pause", {"noncritical": True, "channels": ["calls"]})


async def test_resume_touches_only_what_is_paused(served: Served) -> None:
    await served.bring(served.calls, ChannelState.PAUSED)
    answer = await served.ask("resume")
    assert [one["channel"] for one in answer["channels"]] == ["calls"]
    assert served.notifications.stats()["connects"] == 1


@pytest.mark.parametrize("verb", ["restart", "rotate"])
async def test_a_connection_that_channels_share_is_replaced_once(served: Served, verb: str) -> None:
    manager = served.manager
    paths = {"path": compile_path("/all"), "share": True}
    both = {one.name: changed(one.plan, **paths) for one in (served.notifications, served.calls)}
    manager.apply(replace(manager.plan, channels={**manager.plan.channels, **both}))
    await served.it.time.advance(2)
    dials = len(served.it.server.dials)
    answer = await served.ask(verb, {"channels": ["notifications", "calls"]})
    assert [one["channel"] for one in answer["channels"]] == ["notifications", "calls"]
    await served.it.time.advance(2)
    assert (len(served.it.server.dials), len(served.it.server.links)) == (dials + 1, 1)
    assert (served.notifications.state, served.calls.state) == ("ready", "ready")
