"""The ``tokens:`` section: exactly one source, every mistake in one sentence, every key described."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from wscli.tokens.models import SOURCES, TokenSource
from wscli.values import Scalar

URL = "https://api.example.com/ws-token"
CLIENT = {"token_url": URL, "client_id": "a"}


def scalars(value: Any) -> Any:
    """Turn a value into what the YAML reader hands over."""
    if isinstance(value, dict):
        return {Scalar(key): scalars(item) for key, item in value.items()}
    return [scalars(item) for item in value] if isinstance(value, list) else Scalar(value)


def load(**keys: Any) -> TokenSource:
    return TokenSource.model_validate(scalars(keys))


EXAMPLES: list[dict[str, Any]] = [
    {
        "http": {
            "post": URL,
            "headers": {"Authorization": "Bearer k {token.app}"},
            "json": {"a": "{token.b}", "n": "1"},
            "tls": {"ca": "ca.pem", "insecure": "true"},
            "proxy": "none",
            "timeout": "3s",
        },
        "read": {"token": ".token", "expires_in": ".expires_in"},
        "refresh": "80%",
    },
    {"http": {"put": URL + "?a={token.c:url}", "form": {"x": "{token.d}"}}, "expires_in": "50m"},
    {"env": "API_TOKEN"},
    {"file": "session.token", "single_use": "true"},
    {"command": ["vault", "print", "token"]},
    {"command": {"run": ["prog"], "stdin": "{token.e}", "environment": {"A": "{token.f}"}, "timeout": "5s"}},
    {"value": "Bearer {token.g}"},
    {"oauth2": {**CLIENT, "client_secret": "{token.h}", "scopes": ["a", "b"], "parameters": {"x": "{token.i}"}}},
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_source_is_read_from_yaml_scalars_and_is_equal_to_itself(example: dict[str, Any]) -> None:
    assert load(**example) == load(**example)
    assert load(**example).source is not None


def test_unlike_sources_are_unequal() -> None:
    loaded = [load(**example) for example in EXAMPLES]
    assert all(one != other for one in loaded for other in loaded if one is not other)


def test_the_tokens_that_a_source_needs_are_named() -> None:
    expected = [{"app", "b"}, {"c", "d"}, set(), set(), set(), {"e", "f"}, {"g"}, {"h", "i"}]
    assert [load(**example).references() for example in EXAMPLES] == expected


def test_the_registry_and_the_fields_name_the_same_sources() -> None:
    common = {"read", "refresh", "expires_in", "single_use", "retry_after_max", "remember"}
    assert set(SOURCES) == set(TokenSource.model_fields) - common


@pytest.mark.parametrize(
    ("keys", "where", "sentence"),
    [
        ({}, "", "a token must have exactly one of http, env, file, command, value, oauth2; none is given"),
        ({"env": "A", "value": "b"}, "", "given: env, value"),
        ({"env": "A-B"}, "env", "invalid name of an environment variable: 'A-B'"),
        ({"env": {"a": "b"}}, "env", "invalid name of an environment variable"),
        ({"file": ""}, "file", "invalid path: ''"),
        ({"value": {"token.x": ""}}, "value", "'{token.x}' without quotes is a mapping to YAML; quote it"),
        ({"value": ["a"]}, "value", "the value must be text"),
        ({"value": "{tokn.x}"}, "value", "did you mean 'token'?"),
        ({"value": "{param.id}"}, "value", "'{param.id}' cannot be used here; only '{token.NAME}' can"),
        ({"command": "vault print token"}, "command", "a command must be a list"),
        ({"command": []}, "command", "a command must be a list"),
        ({"command": [""]}, "command", "the command must begin with a program"),
        ({"command": ["a", "{token.x}"]}, "command", "item 1 of the command contains a secret"),
        ({"command": ["a", "b\0"]}, "command", "item 1 of the command must be text"),
        ({"command": {"run": ["a"], "timeout": "0s"}}, "command.timeout", "greater than 0"),
        ({"command": {"run": ["a"], "shell": "true"}}, "command.shell", "Extra inputs"),
        ({"http": {}}, "http", "an http source must have exactly one of post, get and put"),
        ({"http": {"post": URL, "get": URL}}, "http", "exactly one of post, get and put"),
        ({"http": {"post": URL, "json": {}, "form": {}}}, "http", "json and form exclude each other"),
        ({"http": {"get": URL, "form": {}}}, "http", "a GET has no body"),
        ({"http": {"post": "ws://a"}}, "http.post", "must begin with https:// or http://"),
        ({"http": {"post": "https:///x"}}, "http.post", "name a host"),
        ({"http": {"post": "https://a:x/"}}, "http.post", "name a host"),
        ({"http": {"post": "https://[/"}}, "http.post", "name a host"),
        ({"http": {"post": "https://a/\r\nX: y"}}, "http.post", "the URL must begin"),
        ({"http": {"post": "https://u@a/", "headers": {"authorization": "x"}}}, "http", "exclude each other"),
        ({"http": {"post": URL, "headers": {"A": "b\r\nC: d"}}}, "http.headers.A", "contains a line break"),
        ({"http": {"post": URL, "headers": {"A B": "c"}}}, "http.headers.A B.[key]", "invalid header name"),
        ({"http": {"post": URL, "timeout": "5"}}, "http.timeout", "is not a duration"),
        ({"http": {"post": URL, "tls": {"key": "a"}}}, "http.tls", "a key without its certificate"),
        ({"http": {"post": URL, "json": {"a": {"token.x": ""}}}}, "http.json", "quote it"),
        ({"value": "a", "read": {"token": "token"}}, "read.token", "invalid path 'token'"),
        ({"value": "a", "read": {}}, "read.token", "Field required"),
        ({"value": "a", "read": {"token": ".t", "expires_in": ".a", "expires_at": ".b"}}, "read", "exclude each other"),
        ({"value": "a", "refresh": "0%"}, "refresh", "is not a percentage"),
        ({"value": "a", "expires_in": "0s"}, "expires_in", "greater than 0"),
        ({"oauth2": CLIENT}, "oauth2", "needs a client_secret"),
        ({"oauth2": {**CLIENT, "grant": "refresh_token"}}, "oauth2", "needs a refresh_token"),
        ({"oauth2": {**CLIENT, "grant": "client_credentials", "refresh_token": "r"}}, "oauth2", "has no refresh_token"),
    ],
)
def test_a_mistake_is_found_where_it_stands(keys: dict[str, Any], where: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        load(**keys)
    found = {".".join(map(str, error["loc"])): error["msg"] for error in caught.value.errors()}
    assert where in found
    assert sentence in found[where]


def test_what_came_from_the_environment_is_kept_out_of_arguments_and_errors() -> None:
    secret = Scalar("hunter2", redacted="***")
    with pytest.raises(ValidationError, match="item 1 of the command contains a secret") as caught:
        TokenSource.model_validate({"command": ["prog", secret]})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ValidationError) as caught:
        TokenSource.model_validate(
            {"http": {"post": secret, "proxy": secret}, "env": Scalar("hunter-2", redacted="***")}
        )
    assert "hunter" not in str(caught.value)


def test_a_source_is_never_printed() -> None:
    secret = Scalar("hunter2", redacted="***")
    url = Scalar(
        "https://u:hunter2@api.example.com/hunter2?key=hunter2", redacted="https://u:p@api.example.com/***?a=b"
    )
    sources = [
        {"value": secret},
        {"file": secret},
        {"command": [secret, "x"]},
        {"command": {"run": ["x"], "stdin": secret, "environment": {"A": secret}}},
        {"http": {"post": url, "headers": {"A": secret}, "json": {"a": secret}, "proxy": "http://u:hunter2@a"}},
        {"http": {"post": url, "form": {"a": secret}, "tls": {"cert": "a", "key": "b", "key_password": secret}}},
        {"oauth2": {"token_url": url, "client_id": secret, "client_secret": secret, "refresh_token": secret}},
    ]
    printed = " ".join(repr(TokenSource.model_validate(source)) for source in sources)
    assert "hunter2" not in printed
    assert "https://api.example.com/***" in printed
