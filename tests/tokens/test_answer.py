"""Finding the token in an answer: what is read, what is refused, and that no value shows in an error."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.tokens.answer import OAUTH_READ, ReadSettings, jwt_expiry, read_answer
from wscli.tokens.errors import SourceFailed

NOW = 1_800_000_000.0
CENTURY = 100 * 365 * 86400


def read(**paths: str) -> ReadSettings:
    return ReadSettings.model_validate({"token": ".token", **paths})


def jwt(claims: Any, header: Any = None) -> str:
    parts = (header or {"alg": "none"}, claims)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2ln"])


def test_without_read_the_trimmed_body_is_the_token() -> None:
    token, life = read_answer("  abc def\r\n", None, None, NOW)
    assert (token.reveal(), life) == ("abc def", None)


@pytest.mark.parametrize(
    "page",
    [
        "<!DOCTYPE html><html><body>Log in</body></html>",
        "\ufeff <html lang='en'><head><title>Welcome to the hotel</title></head></html>",
        "<?xml version='1.0'?><error>busy</error>",
        "Moved <a href='/login'>here</a>",
        "<HTML>\n<BODY>503</BODY>\n</HTML>",
    ],
)
def test_an_html_page_is_never_a_token(page: str) -> None:
    with pytest.raises(SourceFailed, match=r"^the answer is an HTML page, not a token$"):
        read_answer(page, None, None, NOW)
    with pytest.raises(SourceFailed, match=r"^the answer is an HTML page, not JSON$"):
        read_answer(page, read(), None, NOW)


@pytest.mark.parametrize("token", ["a<b", "x<1>y", "<>", "1 < 2 > 0"])
def test_a_token_may_have_angle_brackets(token: str) -> None:
    assert read_answer(token, None, None, NOW)[0].reveal() == token


@pytest.mark.parametrize(
    ("paths", "answer", "life"),
    [
        ({}, {}, None),
        ({"expires_in": ".expires_in"}, {"expires_in": 60}, 60),
        ({"expires_in": ".expires_in"}, {"expires_in": 0.5}, 0.5),
        ({"expires_in": ".expires_in"}, {"expires_in": "3599"}, 3599),
        ({"expires_in": ".expires_in"}, {"expires_in": None}, None),
        ({"expires_at": ".end"}, {"end": NOW + 30}, 30),
        ({"expires_at": ".end"}, {"end": str(int(NOW) + 30)}, 30),
        ({"expires_at": ".end"}, {"end": "2027-01-15T08:01:00Z"}, 60),
        ({"expires_at": ".end"}, {"end": "2027-01-15T10:01:00.5+02:00"}, 60.5),
    ],
)
def test_the_token_and_its_life_are_read(paths: dict[str, str], answer: dict[str, Any], life: float | None) -> None:
    token, seconds = read_answer(json.dumps({"token": " abc\n", **answer}), read(**paths), None, NOW)
    assert (token.reveal(), seconds) == ("abc", life)


def test_what_the_answer_says_goes_before_what_the_file_says_and_that_before_the_jwt() -> None:
    token = jwt({"exp": NOW + 10})
    answer = json.dumps({"token": token, "in": 30})
    assert read_answer(answer, read(expires_in=".in"), 20, NOW)[1] == 30
    assert read_answer(answer, read(), 20, NOW)[1] == 20
    assert read_answer(answer, read(), None, NOW)[1] == 10
    assert read_answer(token, None, None, NOW)[1] == 10


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nonsense hunter2", "the answer is not JSON"),
        ('{"token": "hunter2", "x": NaN}', "the answer is not JSON"),
        ("[" * 100_000, "the answer is not JSON"),
        ("", "the answer is not JSON"),
        ('{"tokn": "hunter2"}', "the answer has no '.token'"),
        ('["hunter2"]', "the answer has no '.token'"),
        ('{"token": {"a": "hunter2"}}', "'.token' of the answer is an object, not text"),
        ('{"token": null}', "'.token' of the answer is null, not text"),
        ('{"token": 12}', "'.token' of the answer is a number, not text"),
        ('{"token": "hunter2"}', "the answer has no '.expires_in'"),
        ('{"token": "hunter2", "expires_in": "soon"}', "'.expires_in' of the answer is text, not a number"),
        ('{"token": "hunter2", "expires_in": true}', "'.expires_in' of the answer is a boolean, not a number"),
        ('{"token": "hunter2", "expires_in": [60]}', "'.expires_in' of the answer is an array, not a number"),
        (
            '{"token": "hunter2", "expires_in": 0}',
            "the token has already expired according to '.expires_in' of the answer",
        ),
        ('{"token": "hunter2", "expires_in": -60}', "already expired"),
        ('{"token": "hunter2", "expires_in": 1e13}', "'.expires_in' of the answer; is it in milliseconds?"),
        ('{"token": "hunter2", "expires_in": 1e999}', "is not a finite number"),
        ('{"token": "hunter2", "expires_in": "nan"}', "is not a finite number"),
        ('{"token": "hunter2", "expires_in": 1%s}' % ("0" * 400), "is not a finite number"),
        ('{"token": "", "expires_in": 60}', "the token is empty"),
        ('{"token": "a\\nhunter2", "expires_in": 60}', "the token contains a line break"),
        ('{"token": "a\\u001bhunter2", "expires_in": 60}', "the token contains an unprintable character"),
        ('{"token": "\\ud800hunter2", "expires_in": 60}', "the token contains an unprintable character"),
        ('{"token": "%s", "expires_in": 60}' % ("hunter2" * 10_000), "the token is longer than 64 KiB"),
    ],
)
def test_a_bad_answer_is_refused_without_quoting_it(text: str, sentence: str) -> None:
    with pytest.raises(SourceFailed) as caught:
        read_answer(text, read(expires_in=".expires_in"), None, NOW)
    assert sentence in caught.value.text
    assert "hunter2" not in caught.value.text
    assert "\n" not in caught.value.text


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        ("2027-01-15T08:00:00Z", "already expired"),
        ("2027-01-15T08:01:00", "'.end' of the answer has no time zone"),
        ("2027-01-15Tnoon", "is not an RFC 3339 time"),
        (NOW - 1, "already expired"),
        (NOW * 1000, "is it in milliseconds?"),
        ("tomorrow", "is text, not a number"),
    ],
)
def test_a_bad_end_is_refused(end: object, sentence: str) -> None:
    with pytest.raises(SourceFailed, match=sentence.replace("?", r"\?")):
        read_answer(json.dumps({"token": "t", "end": end}), read(expires_at=".end"), None, NOW)


def test_an_oauth_server_may_leave_expires_in_out() -> None:
    assert read_answer('{"access_token": "t"}', OAUTH_READ, None, NOW, must_say=False)[1] is None
    assert read_answer('{"access_token": "t"}', OAUTH_READ, 60, NOW, must_say=False)[1] == 60


def test_an_expired_jwt_is_refused() -> None:
    with pytest.raises(SourceFailed, match="the token has already expired according to its own 'exp'"):
        read_answer(jwt({"exp": NOW - 1}), None, None, NOW)


@pytest.mark.parametrize(
    "token",
    [
        "opaque",
        "a.b.c",
        "..",
        "é.é.é",
        jwt([1]),
        jwt({"exp": "soon"}),
        jwt({"exp": True}),
        jwt({"exp": 1e300}),
        jwt({"sub": "x"}),
        jwt({"exp": 5}, {"typ": "JWT"}),
        jwt({"exp": 5}, ["alg"]),
        jwt({"exp": 5}) + ".d",
    ],
)
def test_what_is_no_jwt_with_a_usable_exp_has_none(token: str) -> None:
    assert jwt_expiry(token) is None


@given(st.text())
def test_no_text_breaks_the_look_into_a_jwt(text: str) -> None:
    jwt_expiry(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["token", "expires_in", "x"]), inner),
    max_leaves=8,
)


@given(json_values, st.sampled_from(["expires_in", "expires_at"]))
def test_any_json_gives_a_usable_token_or_a_sentence(value: object, key: str) -> None:
    try:
        token, life = read_answer(json.dumps(value), read(**{key: ".expires_in"}), None, NOW)
    except SourceFailed:
        return
    assert token.reveal().isprintable()
    assert life is None or 0 < life <= CENTURY
