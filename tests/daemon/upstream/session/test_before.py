"""Steps before the dial: their refusals meet the verdicts of an upgrade, and what they used is forgotten with them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.scripted import Scripted, channel_plan, scripted, status
from tests.daemon.upstream.session.conftest import ScriptedHttp
from tests.session.declared import session
from wscli.net.http import HttpAnswer
from wscli.templates import compile_template
from wscli.tokens.models import TokenSource

TICKET = """
before:
  - http: {post: "https://api.example.com/open", headers: {Authorization: "Bearer {token.api}"}}
    expect:
      - {match: {ok: true}, set: {url: .url}}
      - {match: {error: gone}, then: stop}
      - {match: {ok: false}, then: retry}
"""
URL = "wss://ws.example.com/?ticket=s3cret-ticket"
GIVEN = HttpAnswer(200, b'{"ok":true,"url":"%s"}' % URL.encode(), None)


def answer(text: bytes, status: int = 200, after: float | None = None) -> HttpAnswer:
    return HttpAnswer(status, text, after)


class Opening:
    """A manager of one channel whose URL an HTTP call gives."""

    def __init__(self, tmp_path: Path, *answers: HttpAnswer) -> None:
        self.http = ScriptedHttp()
        self.http.answers = list(answers)
        (tmp_path / "token").write_text("token-1")
        self.tokens = {"api": TokenSource.model_validate({"file": str(tmp_path / "token"), "expires_in": "1h"})}
        url = compile_template("{var.url}", ("var",))
        self.plan = channel_plan(session=session(TICKET), url_template=url, url_hosts=("*.example.com",), path=None)

    def run(self) -> Any:
        return scripted(self.plan, http=self.http, tokens=self.tokens)


def dialled(it: Scripted) -> list[str]:
    return [target.url for _, target in it.server.dials]


async def test_after_a_redirect_the_life_of_a_token_of_its_steps_still_counts(tmp_path: Path) -> None:
    async with Opening(tmp_path, GIVEN, GIVEN).run() as it:
        expires_at = it.channel.subscription.last_attempt.expires_at
        assert expires_at is not None
        it.server.refusals = [status(302, location="/moved")]
        it.channel.restart()
        await it.time.settle()
        assert dialled(it)[1:] == [URL, "wss://ws.example.com/moved"]
        assert it.channel.subscription.last_attempt.expires_at == expires_at


async def test_the_dial_leads_where_the_answer_says(tmp_path: Path) -> None:
    async with Opening(tmp_path, GIVEN).run() as it:
        assert it.channel.state == "ready"
        assert dialled(it) == [URL]
        (_, step), *_ = it.channel.subscription.last_attempt.shown_session("news")
        assert (step.place, step.ok) == ("before[0]", True)
        assert "s3cret" not in str(step)


async def test_each_dial_asks_again(tmp_path: Path) -> None:
    opening = Opening(tmp_path, GIVEN, GIVEN)
    async with opening.run() as it:
        it.server.link.abort()
        await it.time.advance(2.0)
        assert len(dialled(it)) == len(opening.http.asked) == 2


@pytest.mark.parametrize(
    ("refusal", "state"), [(b'{"ok":false,"error":"gone"}', "failed"), (b'{"ok":false,"error":"busy"}', "waiting")]
)
async def test_an_alternatives_verdict_is_the_attempts(refusal: bytes, state: str, tmp_path: Path) -> None:
    async with Opening(tmp_path, answer(refusal), GIVEN).run() as it:
        assert it.channel.state == state
        assert it.channel.status()["reason"]["code"] == "session:before"
        assert dialled(it) == []


async def test_a_status_meets_the_verdicts_of_an_upgrade_with_retry_after(tmp_path: Path) -> None:
    async with Opening(tmp_path, answer(b"", 503, 30.0), GIVEN).run() as it:
        assert (it.channel.state, it.channel.status()["reason"]["code"]) == ("waiting", "status:503")
        await it.time.advance(29.0)
        assert it.channel.state == "waiting"
        await it.time.advance(2.0)
        assert it.channel.state == "ready"


async def test_a_refused_token_is_forgotten_and_asked_for_anew(tmp_path: Path) -> None:
    opening = Opening(tmp_path, answer(b"", 401), GIVEN)
    async with opening.run() as it:
        await it.time.settle()
        assert it.channel.state == "ready"
        assert [request.headers["Authorization"] for request in opening.http.asked] == ["Bearer token-1"] * 2
        assert it.manager.broker.stats()["api"]["fetches"] == 2


async def test_an_answer_that_leads_elsewhere_is_refused_in_words(tmp_path: Path) -> None:
    elsewhere = answer(b'{"ok":true,"url":"wss://evil.test/?t=s3cret-ticket"}')
    async with Opening(tmp_path, elsewhere, GIVEN).run() as it:
        assert it.channel.state == "waiting"
        text = it.channel.status()["reason"]["text"]
        assert text == "the filled url leads to 'evil.test', which 'url_hosts' does not allow"
        assert "s3cret" not in str(it.channel.subscription.last_attempt.shown_session("news"))


async def test_stopping_the_channel_ends_what_is_under_way(tmp_path: Path) -> None:
    opening = Opening(tmp_path)
    opening.http.hold = asyncio.Event()
    async with opening.run() as it:
        assert it.channel.state == "connecting"
        assert it.channel.status()["reason"]["text"].startswith("before[0]")
        it.channel.stop()
        await it.time.advance(2.0)
        assert it.channel.state == "stopped"
