"""``start``, ``stop``, ``restart``, ``rotate``, ``pause``, ``resume``: the named channels, all of them or none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.daemon.scripted import changed
from tests.daemon.served import Served
from wscli.core.states import ChannelState
from wscli.errors import UnknownChannel, UsageError, WscliError
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


async def share(served: Served) -> int:
    """Have both channels share a connection, and give the number of dials until then."""
    manager = served.manager
    paths = {"path": compile_path("/all"), "share": True}
    both = {one.name: changed(one.plan, **paths) for one in (served.notifications, served.calls)}
    manager.apply(replace(manager.plan, channels={**manager.plan.channels, **both}))
    await served.it.time.advance(2)
    return len(served.it.server.dials)


async def test_a_connection_that_channels_share_is_rotated_once(served: Served) -> None:
    dials = await share(served)
    answer = await served.ask("rotate", {"channels": ["notifications", "calls"]})
    assert [one["channel"] for one in answer["channels"]] == ["notifications", "calls"]
    await served.it.time.advance(2)
    assert (len(served.it.server.dials), len(served.it.server.links)) == (dials + 1, 1)
    assert (served.notifications.state, served.calls.state) == ("ready", "ready")


async def test_a_restart_of_one_channel_leaves_the_connection_to_the_others(served: Served) -> None:
    dials = await share(served)
    before = served.notifications.stats()
    await served.ask("restart", {"channels": ["calls"]})
    await served.it.time.advance(2)
    assert (len(served.it.server.dials), len(served.it.server.links)) == (dials, 1)
    assert (served.calls.state, served.calls.stats()["connects"]) == ("ready", 3)
    assert served.notifications.stats() == before


async def test_resubscribe_is_refused_where_no_session_subscribes(served: Served) -> None:
    with pytest.raises(UsageError, match="channel 'calls' has no session, and nothing to subscribe"):
        await served.ask("resubscribe", {"channels": ["calls"]})
    assert served.calls.stats()["connects"] == 1


async def test_one_that_may_not_rotate_leaves_all_untouched(served: Served) -> None:
    manager = served.manager
    fixed = {"calls": changed(served.calls.plan, rotates=False)}
    manager.apply(replace(manager.plan, channels={**manager.plan.channels, **fixed}))
    with pytest.raises(UsageError, match="'calls' cannot be rotated"):
        await served.ask("rotate", {"channels": ["notifications", "calls"]})
    assert served.notifications.subscription.successor is None
