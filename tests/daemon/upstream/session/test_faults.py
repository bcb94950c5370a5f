"""Bad servers: a clear reason in ``status``, no error of ours, no busy loop, and a connection that is tried again."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from tests.daemon.scripted import ScriptedLink, channel_plan, scripted
from tests.session.declared import session

HELLO = "hello: [{expect: {op: hello}, within: 3s}]"
BEATS = """
hello: [{expect: {op: hello}, set: {beat: .beat}}]
timers: [{every: "{var.beat}ms", do: [{send: {op: beat}}]}]
"""


@pytest.mark.parametrize(
    ("text", "said", "code", "words"),
    [
        (HELLO, [], "session:hello", "within 3s"),
        (HELLO, ['{"op":"other"}', "no JSON", '{"op":' * 5000, "\x00"], "session:hello", "within 3s"),
        (HELLO, [json.dumps({"op": "event", "data": "x" * 700_000})] * 2, "session:hello", "over 1MiB"),
        ("hello: [{send: {x: '{var.nothing}'}}]", [], "session:hello", "'{var.nothing}' has no value"),
        (
            "hello: [{expect: {op: hello}, set: {beat: '{var.nothing}'}}]",
            ['{"op":"hello"}'],
            "session:hello",
            "no value",
        ),
    ],
    ids=["silent", "noise", "flood", "unfilled send", "unfilled set"],
)
async def test_a_log_in_that_cannot_succeed_fails_the_attempt_in_words(
    text: str, said: list[str], code: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted(channel_plan(session=session(text))) as it:
        it.server.links[0].say(*said) if said and it.server.links else None
        for _ in range(3):
            if it.channel.state != "waiting":
                await it.time.advance(1.0)
        status = it.channel.status()
        reason = status["reason"]
        assert (status["state"], reason["code"]) == ("waiting", code)
        assert words in reason["text"]
        await it.time.advance(60.0)
        assert 3 <= len(it.server.dials) <= 20, "it is tried again, by the backoff"
    assert [one.message for one in caplog.records if one.levelno >= logging.ERROR] == []


@pytest.mark.parametrize("beat", [0, -5, None, "abc", [1], {"a": 1}, True, 1e400, 31_536_000_000, "1e9"])
async def test_an_interval_that_a_server_gives_never_makes_a_busy_loop(
    beat: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def greet(link: ScriptedLink) -> None:
        link.server.time.schedule(0, lambda: link.say(json.dumps({"op": "hello", "beat": beat})))

    async with scripted(channel_plan(session=session(BEATS), eager=False)) as it:
        it.server.on_open = greet
        it.channel.start()
        await it.time.advance(60.0)
        assert it.channel.state in ("ready", "waiting")
        assert sum(len(link.sent) for link in it.server.links) == 0
        assert len(it.server.dials) < 20
    assert [one.message for one in caplog.records if one.levelno >= logging.ERROR] == []


async def test_the_least_interval_is_bounded() -> None:
    def greet(link: ScriptedLink) -> None:
        link.server.time.schedule(0, lambda: link.say('{"op":"hello","beat":1}'))

    async with scripted(channel_plan(session=session(BEATS), eager=False)) as it:
        it.server.on_open = greet
        it.channel.start()
        await it.time.advance(2.0)
        assert it.channel.state == "ready"
        assert len(it.server.link.sent) <= 2000
