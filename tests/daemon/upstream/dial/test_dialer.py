"""A dial keeps what its failure and ``doctor`` are shown without."""

from __future__ import annotations

from dataclasses import replace

from tests.daemon.scripted import channel_plan, scripted, status
from wscli.templates import compile_template


async def test_after_a_redirect_the_secrets_of_the_first_url_are_still_hidden() -> None:
    plan = channel_plan(query={"key": compile_template("first-key", ())})
    async with scripted(plan) as it:
        refused = replace(status(403), text="no first-key and no second-key")
        it.server.refusals = [status(302, location="/new?ticket=second-key"), refused]
        it.channel.restart()
        await it.time.settle()
        assert it.server.dials[-1][1].shown == "ws://192.0.2.1/new?ticket=***"
        assert it.channel.status()["reason"]["text"] == "no *** and no ***"
        last = it.channel.subscription.last_attempt
        assert last is not None
        last.timeline.add("upgrade", 0.1, "first-key")
        assert last.shown_timeline().steps[-1].detail == "***"
        assert "first-key" not in repr(last)
