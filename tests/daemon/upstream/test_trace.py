"""The log at level debug: every dial, open, close, refusal, wait and token fetch has a line."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from tests.daemon.scripted import REFUSED, channel_plan, closed, scripted, status, with_token
from wscli.config.models.upstream import Rotate
from wscli.tokens.models import TokenSource


async def test_every_step_of_a_connection_has_a_line_at_level_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "wscli")
    async with scripted() as it:
        it.server.refusals = [status(503), REFUSED]
        it.server.link.end(closed(1006))
        await it.time.advance(10)
        it.channel.stop()
        await it.time.settle()
    steps = [(one.event, one.message) for one in caplog.records if one.name == "wscli.upstream"]  # type: ignore[attr-defined]  # of ``extra``
    assert [event for event, _ in steps] == (
        [
            "dial",
            "open",
            "close",
            "retry",
            "dial",
            "refused",
            "retry",
            "dial",
            "failed",
            "retry",
            "dial",
            "open",
            "close",
        ]
    )
    said = dict(steps)
    assert said["close"] == "news: closed by us"
    assert steps[2][1] == "news: closed by the server: 1006"
    assert steps[3][1] == "news: waiting 1s before attempt 2"
    assert steps[5][1] == "news: not connected: HTTP 503"
    assert all(one.channel == "news" for one in caplog.records if one.name == "wscli.upstream")  # type: ignore[attr-defined]  # as above


async def test_a_dial_that_is_given_up_and_a_connection_that_is_replaced_have_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "wscli.upstream")
    async with scripted(channel_plan(rotate=Rotate(max_age=60.0))) as it:
        await it.time.advance(61)
        assert it.channel.counters.rotations == 1
        assert "news: closed by us, the next connection being ready" in caplog.messages
        it.server.hold = asyncio.get_running_loop().create_future()
        it.channel.restart()
        await it.time.settle()
        it.channel.stop()
        await it.time.settle()
    assert caplog.messages[-1] == "news: dial given up"


async def test_token_fetches_are_in_the_log_without_the_token(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG, "wscli")
    (tmp_path / "token").write_text("s3cret")
    session = TokenSource.model_validate({"file": str(tmp_path / "token")})
    async with scripted(with_token(channel_plan()), tokens={"session": session}) as it:
        assert it.channel.connection is not None
    assert [one.message for one in caplog.records if getattr(one, "event", "") == "token"] == [
        "token 'session': fetching",
        "token 'session': fetched",
    ]
    assert "s3cret" not in caplog.text


async def test_a_token_fetch_that_fails_says_why(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "wscli")
    async with scripted(with_token(channel_plan()), tokens={"session": TokenSource.model_validate({"env": "NOWHERE"})}):
        pass
    said = [one.message for one in caplog.records if getattr(one, "event", "") == "token"]
    assert said[0] == "token 'session': fetching"
    assert said[1].startswith("token 'session': ")
    assert "NOWHERE" in said[1]
