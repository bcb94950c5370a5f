"""``oauth2:`` speaks RFC 6749: both grants, both ways of authenticating, rotation of the refresh token."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl

import pytest

from wscli.tokens.errors import SourceFailed
from wscli.tokens.fetcher import FetchContext, SourceAnswer
from wscli.tokens.models import TokenSource


async def fetch(context: FetchContext, endpoint: Any, read: Any = None, **keys: Any) -> SourceAnswer:
    oauth2 = {"token_url": endpoint.url + "/oauth/token", "client_id": "me", **keys}
    return await TokenSource.model_validate({"oauth2": oauth2, "read": read}).fetch(context)


def form(endpoint: Any) -> dict[str, str]:
    return dict(parse_qsl(endpoint.seen[-1].body.decode()))


def grant(endpoint: Any, **keys: Any) -> None:
    endpoint.say(json.dumps({"access_token": "abc", "token_type": "Bearer", **keys}))


async def test_client_credentials(context: FetchContext, endpoint: Any) -> None:
    grant(endpoint, expires_in=3600)
    keys = {"client_secret": "s:p a", "scopes": "read write", "audience": "api", "parameters": {"x": "{token.other}"}}
    fetched = await fetch(context, endpoint, **keys)
    assert (fetched.text.reveal(), fetched.expires_in) == ("abc", 3600)
    expected = {"grant_type": "client_credentials", "scope": "read write", "audience": "api", "x": "other-value"}
    assert form(endpoint) == expected
    seen = endpoint.seen[0]
    assert (seen.method, seen.path) == ("POST", "/oauth/token")
    assert seen.headers["content-type"] == "application/x-www-form-urlencoded"
    # RFC 6749, section 2.3.1: each part is form-encoded first.
    assert base64.b64decode(seen.headers["authorization"].removeprefix("Basic ")) == b"me:s%3Ap+a"


async def test_the_credentials_may_go_into_the_form(context: FetchContext, endpoint: Any) -> None:
    grant(endpoint)
    fetched = await fetch(context, endpoint, client_secret="s", client_auth="body", scopes=["a", "b"])
    assert fetched.expires_in is None
    credentials = {"client_id": "me", "client_secret": "s"}
    assert form(endpoint) == {"grant_type": "client_credentials", **credentials, "scope": "a b"}
    assert "authorization" not in endpoint.seen[0].headers


async def test_a_public_client_names_itself_in_the_form(context: FetchContext, endpoint: Any) -> None:
    grant(endpoint)
    await fetch(context, endpoint, refresh_token="r1")
    assert form(endpoint) == {"grant_type": "refresh_token", "refresh_token": "r1", "client_id": "me"}


async def test_a_new_refresh_token_is_used_until_it_gives_way_to_the_declared_one(
    context: FetchContext, endpoint: Any
) -> None:
    grant(endpoint, refresh_token="r2")
    await fetch(context, endpoint, refresh_token="r1")
    grant(endpoint)
    for _ in range(2):
        await fetch(context, endpoint, refresh_token="r1")
        assert form(endpoint)["refresh_token"] == "r2"
    endpoint.say('{"error":"invalid_grant"}', status=400)
    with pytest.raises(SourceFailed, match=r"HTTP 400 from .*/oauth/token: invalid_grant"):
        await fetch(context, endpoint, refresh_token="r1")
    grant(endpoint)
    await fetch(context, endpoint, refresh_token="r1")
    assert form(endpoint)["refresh_token"] == "r1"


async def test_a_refresh_token_to_client_credentials_is_not_kept(context: FetchContext, endpoint: Any) -> None:
    grant(endpoint, refresh_token="r2")
    await fetch(context, endpoint, client_secret="s")
    assert await context.memory.recall() is None


@pytest.mark.parametrize(
    ("status", "body", "suffix"),
    [
        (400, '{"error":"invalid_scope","error_description":"hunter2\\n may not"}', ": invalid_scope: *** may not"),
        (401, '{"error":"invalid_client"}', ": invalid_client"),
        (400, '{"error":"hunter2"}', ": ***"),
        (400, "hunter2", ""),
        (400, '["hunter2"]', ""),
        (400, '{"error":{"hunter2":1}}', ""),
        (400, '{"error":{"message":"the project is suspended"}}', ": the project is suspended"),
        (400, '{"error_description":"' + "x" * 300 + '"}', ": " + "x" * 200),
        (503, '{"error":"temporarily_unavailable"}', ": temporarily_unavailable"),
    ],
)
async def test_what_the_endpoint_says_of_its_refusal_is_repeated_without_our_secrets(
    context: FetchContext, endpoint: Any, status: int, body: str, suffix: str
) -> None:
    endpoint.say(body, status=status, headers={"Retry-After": "4"})
    with pytest.raises(SourceFailed) as caught:
        await fetch(context, endpoint, client_secret="hunter2")
    assert caught.value.text == f"HTTP {status} from {endpoint.url}/oauth/token{suffix}"
    assert caught.value.retry_after == 4
    assert caught.value.refused == (status == 401)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("nonsense", "the answer is not JSON"),
        ("[]", "the answer has no '.access_token'"),
        ('{"access_token":"x","expires_in":"soon"}', "is text, not a number"),
        ('{"access_token":"x","expires_in":0}', "already expired"),
    ],
)
async def test_a_bad_answer_is_a_failure(context: FetchContext, endpoint: Any, body: str, sentence: str) -> None:
    endpoint.say(body)
    with pytest.raises(SourceFailed, match=sentence):
        await fetch(context, endpoint, client_secret="s")


async def test_read_may_say_otherwise(context: FetchContext, endpoint: Any) -> None:
    grant(endpoint, id_token="id", expires_in=5)
    fetched = await fetch(context, endpoint, read={"token": ".id_token"}, client_secret="s")
    assert (fetched.text.reveal(), fetched.expires_in) == ("id", None)
