"""``http:`` makes one request of its templates and finds the token in the answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from wscli.tokens.errors import SourceFailed, TokenFailed
from wscli.tokens.fetcher import FetchContext, SourceAnswer
from wscli.tokens.models import TokenSource
from wscli.values import Scalar


async def fetch(context: FetchContext, **keys: Any) -> SourceAnswer:
    return await TokenSource.model_validate(keys).fetch(context)


async def test_the_main_case(context: FetchContext, endpoint: Any) -> None:
    endpoint.say(json.dumps({"token": "abc", "expires_in": 300}))
    fetched = await fetch(
        context,
        http={"post": endpoint.url + "/ws-token", "headers": {"Authorization": "Bearer key"}},
        read={"token": ".token", "expires_in": ".expires_in"},
    )
    assert (fetched.text.reveal(), fetched.expires_in) == ("abc", 300)
    (seen,) = endpoint.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/ws-token", b"")
    assert seen.headers["authorization"] == "Bearer key"


async def test_without_read_the_trimmed_body_is_the_token(context: FetchContext, endpoint: Any) -> None:
    endpoint.say("abc\n")
    assert (await fetch(context, http={"get": endpoint.url})).text.reveal() == "abc"
    assert endpoint.seen[0].method == "GET"


async def test_templates_are_filled_everywhere(context: FetchContext, endpoint: Any) -> None:
    endpoint.say("abc")
    body = {"who": "{token.other}", "n": Scalar("5"), "s": Scalar("5", plain=False)}
    http = {
        "put": endpoint.url + "/{token.other:url}?a={token.other}",
        "headers": {"X": "{token.second}"},
        "json": body,
    }
    await fetch(context, http=http)
    (seen,) = endpoint.seen
    assert (seen.method, seen.path, seen.headers["x"]) == ("PUT", "/other-value?a=other-value", "second-value")
    assert seen.headers["content-type"] == "application/json"
    assert seen.body == b'{"who":"other-value","n":5,"s":"5"}'
    assert set(context.used) == {"other", "second"}


async def test_a_form_is_encoded_and_a_content_type_of_ones_own_is_kept(context: FetchContext, endpoint: Any) -> None:
    endpoint.say("abc")
    await fetch(context, http={"post": endpoint.url, "form": {"a b": "{token.other}&", "c": "é"}})
    assert endpoint.seen[0].body == b"a+b=other-value%26&c=%C3%A9"
    assert endpoint.seen[0].headers["content-type"] == "application/x-www-form-urlencoded"
    await fetch(context, http={"post": endpoint.url, "json": [], "headers": {"content-type": "application/x+json"}})
    assert endpoint.seen[1].headers["content-type"] == "application/x+json"


async def test_an_error_shows_neither_query_nor_user_nor_environment(context: FetchContext, endpoint: Any) -> None:
    endpoint.say("hunter2", status=500)
    host = endpoint.url.removeprefix("http://")
    url = Scalar(f"http://me:hunter2@{host}/hunter2?k=hunter2", redacted=f"http://me:***@{host}/***?k=***")
    with pytest.raises(SourceFailed) as caught:
        await fetch(context, http={"post": url})
    assert caught.value.text == f"HTTP 500 from http://{host}/***"


async def test_an_error_does_not_show_a_token_that_was_part_of_a_value(context: FetchContext, endpoint: Any) -> None:
    endpoint.say('{"error": "no session other-value"}', status=404)
    with pytest.raises(SourceFailed) as caught:
        await fetch(context, http={"post": f"{endpoint.url}/{{token.other}}", "json": {"key": "k:{token.other}"}})
    assert caught.value.text.endswith(": no session ***")


@pytest.mark.parametrize(
    ("status", "body", "refused"),
    [
        (400, '{"error":"invalid_grant"}', True),
        (401, "", True),
        (403, "", True),
        (400, '{"error":"busy"}', False),
        (429, "", False),
        (500, '{"error":"invalid_grant"}', False),
    ],
)
async def test_a_refusal_of_credentials_is_told_from_other_failures(
    context: FetchContext, endpoint: Any, status: int, body: str, refused: bool
) -> None:
    endpoint.say(body, status=status)
    with pytest.raises(SourceFailed) as caught:
        await fetch(context, http={"post": endpoint.url, "form": {"grant_type": "refresh_token"}})
    assert caught.value.refused == refused
    assert caught.value.text.endswith(": invalid_grant") == ("invalid_grant" in body)


async def test_a_token_that_would_break_a_header_is_refused(
    context: FetchContext, endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scope(*_: object) -> dict[str, dict[str, str]]:
        return {"token": {"x": "a\r\nX-Evil: hunter2"}}

    monkeypatch.setattr(FetchContext, "scope", scope)
    with pytest.raises(SourceFailed, match="the header 'A' contains a line break"):
        await fetch(context, http={"post": endpoint.url, "headers": {"A": "{token.x}"}})
    assert endpoint.seen == []


async def test_what_it_needs_and_cannot_have_or_fill_is_an_error(context: FetchContext, endpoint: Any) -> None:
    with pytest.raises(TokenFailed, match="'broken'"):
        await fetch(context, http={"post": endpoint.url, "headers": {"A": "{token.broken}"}})
    with pytest.raises(SourceFailed, match="does not fit its filter"):
        await fetch(context, http={"post": endpoint.url, "headers": {"A": "{token.other:int}"}})
    assert endpoint.seen == []


async def test_the_deadline_is_the_sources_own(context: FetchContext, endpoint: Any) -> None:
    over = asyncio.Event()

    async def never(_: web.BaseRequest) -> web.Response:
        await over.wait()
        return web.Response()

    endpoint.answer = never
    with pytest.raises(SourceFailed, match=r"within 0\.1 s"):
        await fetch(context, http={"post": endpoint.url, "timeout": "100ms"})
    over.set()
