"""``wscli explain``: every key of the schema, however it is written, with an example that the file's checks accept."""

from __future__ import annotations

from pathlib import Path

import pytest

from wscli.config.explain import example_of, explain_key
from wscli.config.loading import load
from wscli.config.schema import Key, hint_for, place_of, places
from wscli.errors import ConfigError, UsageError

ENVIRON = {"API_TOKEN": "s3cret", "CLIENT_SECRET": "s3cret", "GATEWAY_TOKEN": "a-long-enough-token"}

ELSEWHERE = (
    "is missing",
    "unknown endpoint",
    "no such file",
    "no TLS",
    "certificate",
    "nothing keeps",
    "{sub.ref}",
    "needs a",
)
"""Problems with what the example leaves out."""
ANY = ("json", "send", "stdin", "match", "outgoing", "reply")
"""Keys that take any JSON value."""


def first(key: str) -> str:
    return explain_key(key).splitlines()[0]


@pytest.mark.parametrize("key", places().values(), ids=str)
def test_every_key_has_a_text_a_type_and_a_valid_example(key: Key, tmp_path: Path) -> None:
    lines = explain_key(str(key) if len(key.place) > 1 else f".{key}").splitlines()
    assert lines[0] == str(key)
    assert lines[1].strip(), "a text"
    assert lines[3].removeprefix("  type:     ") not in ("", "any JSON value") or key.place[-1] in ANY
    file = tmp_path / "app.yaml"
    file.write_text(example_of(key) + "\n")
    try:
        load(file, ENVIRON)
    except ConfigError as error:
        of_its_own = []
        for line in error.message.splitlines():
            _, path, text = [*line.split(": ", 2), ""][:3]
            steps = tuple(path.replace("[0]", "").split("."))
            if place_of(steps)[0] == key.place and not any(words in text for words in ELSEWHERE):
                of_its_own.append(text)
        assert of_its_own == []


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("connect.rate", "a rate, such as 5/s or 300/5m"),
        ("connect.timeout", "a duration, such as 10s or 1m30s"),
        ("endpoints.look_again", "never, or a duration, such as 10s or 1m30s"),
        ("history.max_size", "a size, such as 64KiB or 1MiB"),
        ("tokens.refresh", "a percentage, such as 80%"),
        ("tokens.http.post", "text"),
        ("oauth2.token_url", "text"),
    ],
)
def test_the_type_is_that_of_the_value(key: str, kind: str) -> None:
    assert f"  type:     {kind}" in explain_key(key).splitlines()


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("channels.endpoint", "required"),
        ("endpoints.connect.timeout", "10s"),
        ("endpoints.keepalive", "see above"),
        ("gateway.keepalive", "see above"),
        ("channels.rotate", "see above"),
        ("channels.clients", "see above"),
        ("endpoints.rotate", "none"),
    ],
)
def test_the_default_is_told_by_the_text_where_the_schema_has_none(key: str, default: str) -> None:
    lines = explain_key(key).splitlines()
    assert f"  default:  {default}" in lines
    assert ("efault: " in lines[1]) == (default == "see above")


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("channels.backoff", "channels.backoff"),
        ("channels.calls.backoff", "channels.backoff"),
        ("channels.calls.backoff.initial", "channels.backoff.initial"),
        ("channels.calls.subprotocols[0]", "channels.subprotocols"),
        ("channels.calls.headers.X-Api", "channels.headers"),
        ("channels.calls", "channels"),
        ("tokens.session.http.tls.ca", "tokens.http.tls.ca"),
        ("linger", "channels.linger"),
        ("history.keep", "channels.history.keep"),
        (".backoff", "backoff"),
    ],
)
def test_a_key_may_be_written_as_errors_write_it(written: str, place: str) -> None:
    assert first(written) == place


def test_a_key_of_several_places_lists_them() -> None:
    lines = explain_key("backoff").splitlines()
    assert lines[0] == "'backoff' is a key of 3 places:"
    assert [line.split()[0] for line in lines[1:-1]] == [".backoff", "endpoints.backoff", "channels.backoff"]
    for line in lines[1:-1]:
        assert first(line.split()[0]) == line.split()[0].removeprefix(".")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("bakoff", "backoff"),
        ("channels.bakoff", "channels.backoff"),
        ("channels.calls.bakoff", "channels.backoff"),
        ("endpoint.url", "endpoints.url"),
    ],
)
def test_a_misspelt_key_has_a_hint_that_works(written: str, meant: str) -> None:
    with pytest.raises(UsageError) as raised:
        explain_key(written)
    assert raised.value.hint == f"did you mean `wscli explain {meant}`?"
    assert explain_key(meant)


@pytest.mark.parametrize("written", ["nothing-like-it", ".", "..", "[0]", "channels..", ".url"])
def test_what_is_unknown_is_a_usage_error(written: str) -> None:
    if written == "channels..":
        assert first(written) == "channels"
        return
    with pytest.raises(UsageError):
        explain_key(written)


def test_without_a_key_it_lists_those_of_the_top_level() -> None:
    lines = explain_key("").splitlines()
    assert len(lines) == 1 + len([place for place in places() if len(place) == 1])


@pytest.mark.parametrize(
    ("paths", "hint"),
    [
        ([("channels", "calls", "linger")], "see `wscli explain channels.linger`"),
        ([("channels", "calls", "lingr")], "see `wscli explain channels.linger`"),
        ([("channels", "calls", "colour")], "see `wscli explain channels`"),
        ([("backoff", "default", "max")], "see `wscli explain backoff.max`"),
        ([("backoff",)], "see `wscli explain .backoff`"),
        ([("channels", "a", "path"), ("channels", "b", "path")], "see `wscli explain channels.path`"),
        (
            [("version",), ("channels", "a", "path")],
            "see `wscli explain version` and `wscli explain channels.path`",
        ),
        ([()], ""),
        ([], ""),
    ],
)
def test_the_hint_of_a_file_names_the_keys_of_its_problems(paths: list[tuple[str, ...]], hint: str) -> None:
    assert hint_for(paths) == hint
