"""The log at level debug: every dial, open, close, refusal, wait and token fetch has a line."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.daemon.scripted import REFUSED, channel_plan, closed, scripted, status, with_token
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
