"""The values of a configuration: what is read, what is refused in words, and what is never shown."""

from __future__ import annotations

import copy
import json
import math
import pickle
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from wscli.values import (
    Count,
    Duration,
    Flag,
    Json,
    Percent,
    Rate,
    RateOf,
    Scalar,
    Secret,
    Size,
    StrictModel,
    format_duration,
    parse_duration,
    parse_json_scalar,
    parse_rate,
    shown,
)


class Model(StrictModel):
    wait: Duration = 1.0
    size: Size = 1
    rate: RateOf = Rate(5, 1.0)
    share: Percent = 0.8
    count: Count = 0
    flag: Flag = False
    data: Json = None
    secret: Secret = Secret("")


def read(**fields: Any) -> Model:
    return Model.model_validate(fields)


def refusal(**fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        read(**fields)
    (error,) = caught.value.errors()
    return str(error["msg"])


READ = {
    "wait": {"500ms": 0.5, "10s": 10.0, "1m30s": 90.0, "1.5h": 5400.0, "1d": 86400.0, "0s": 0.0, "2h5ms": 7200.005},
    "size": {"0B": 0, "17B": 17, "64KiB": 65536, "1MiB": 1 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40},
    "share": {"80%": 0.8, "100%": 1.0, "0.5%": 0.005},
    "count": {"010": 10},
    "flag": {"true": True, "false": False},
}


@pytest.mark.parametrize(
    ("field", "text", "value"), [(field, *pair) for field, values in READ.items() for pair in values.items()]
)
def test_text_is_read_into_the_value_of_its_type(field: str, text: str, value: object) -> None:
    found = getattr(read(**{field: Scalar(text)}), field)
    assert found == pytest.approx(value)
    assert type(found) is type(value)


A_DURATION = "is not a duration; write a number with its unit, such as 500ms, 10s or 1m30s"
A_SIZE = "is not a size; write a whole number with B, KiB, MiB or GiB, such as 64KiB"
A_RATE = "is not a rate; write a count and a time, such as 5/s or 300/5m"
REFUSED = {
    ("wait", A_DURATION): ["", "10", "s", "10 s", "-1s", "1.s", ".5s", "1,5s", "1m 30s", "10S", "1.5.5s", "5 minutes",
                           "٣s", "1e3s", "nan"],
    ("wait", "is longer than 100 years"): ["36601d"],
    ("size", A_SIZE): ["", "64", "64KB", "64kib", "1.5MiB", "-1B", "٣B", "9" * 20 + "B", "1 MiB"],
    ("rate", A_RATE): ["", "5", "/s", "0/s", "5/0s", "5/0.0ms", "-5/s", "5/ s", "5 / s", "1.5/s", "5/s/s", "٣/s",
                       "5/99999d"],
    ("share", "is not a percentage above 0% and up to 100%"): ["80", "0%", "101%", "-5%", "%", "٣%", "1e1%"],
    ("count", "is not a whole number"): ["-1", "1.0", "", "0x10", "1_000", "٣", "9" * 19],
    ("flag", "is neither true nor false"): ["yes", "no", "on", "off", "True", "1", ""],
}  # fmt: skip


@pytest.mark.parametrize(
    ("field", "words", "text"), [(*wrong, text) for wrong, texts in REFUSED.items() for text in texts]
)
def test_other_text_is_refused_and_nothing_is_guessed(field: str, words: str, text: str) -> None:
    assert f"{text!r} {words}" in refusal(**{field: Scalar(text)})


@pytest.mark.timeout(30)
def test_a_long_text_is_refused_at_once() -> None:
    assert read(wait="36600d").wait == 36600 * 86400.0
    assert "is longer than 100 years" in refusal(wait="9" * 400 + "s")
    assert len(refusal(wait="1" * 200_000)) < 250, "an error is one line, not a file"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "250ms"),
        (0.0, "0ms"),
        (0.9996, "1s"),
        (1.0, "1s"),
        (1.04, "1s"),
        (1.25, "1.2s"),
        (9.96, "10s"),
        (14.4, "14s"),
        (59.7, "1m"),
        (90.0, "1m30s"),
        (3600.0, "1h"),
        (3599.7, "1h"),
        (90061.0, "1d1h"),
    ],
)
def test_a_duration_is_written_as_a_person_reads_it(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(0.0, 1e8))
@example(0.9995)
@example(9.95)
def test_a_written_duration_reads_back_as_about_the_same(seconds: float) -> None:
    again = parse_duration(format_duration(seconds))
    assert math.isclose(again, seconds, rel_tol=0.05, abs_tol=0.0006)
    assert format_duration(again) == format_duration(seconds)


@pytest.mark.parametrize(
    ("text", "rate", "interval", "written"),
    [
        ("5/s", Rate(5, 1.0), 0.2, "5/s"),
        ("300/5m", Rate(300, 300.0), 1.0, "300/5m"),
        ("100/1s", Rate(100, 1.0), 0.01, "100/s"),
        ("1/1.5h", Rate(1, 5400.0), 5400.0, "1/1h30m"),
        ("2/500ms", Rate(2, 0.5), 0.25, "2/500ms"),
    ],
)
def test_a_rate_is_so_many_in_a_time(text: str, rate: Rate, interval: float, written: str) -> None:
    assert read(rate=Scalar(text)).rate == rate
    assert rate.interval == pytest.approx(interval)
    assert str(rate) == written


@given(st.integers(1, 10**6), st.sampled_from(["s", "ms", "90s", "5m", "1.5h", "36h", "100ms"]))
def test_a_written_rate_reads_back_as_the_same(count: int, time: str) -> None:
    rate = parse_rate(f"{count}/{time}")
    assert parse_rate(str(rate)) == rate


TYPED = {"true": True, "false": False, "null": None, "10": 10, "-10": -10, "1.5": 1.5, "1e3": 1000.0}
TEXTS = ["10 ", "010", "+1", ".5", "12:30", "no", "True", "~", "", "NaN", "-Infinity", "1e999", "[1]", '{"a": 1}']


@pytest.mark.parametrize(
    ("text", "value"), [*TYPED.items(), *((text, text) for text in (*TEXTS, '"quoted"', "9" * 5000, "[" * 100_000))]
)
def test_a_plain_scalar_of_a_message_is_what_json_would_read_else_text(text: str, value: object) -> None:
    """RFC 8259, sections 3 and 6."""
    found = parse_json_scalar(Scalar(text))
    assert found == value
    assert type(found) is type(value)


@given(st.one_of(st.text(max_size=30), st.from_regex(r"[-+]?[0-9.]{1,6}([eE][-+]?[0-9]{1,4})?", fullmatch=True)))
def test_whatever_a_scalar_comes_to_can_be_sent_as_json(text: str) -> None:
    value = parse_json_scalar(Scalar(text))
    again = json.loads(json.dumps(value, allow_nan=False))
    assert again == value
    assert isinstance(value, str) or value is None or json.loads(text) == value


def test_a_tree_of_scalars_is_read_leaf_by_leaf_and_a_quoted_one_is_text() -> None:
    quoted = [Scalar("7", plain=False), Scalar("true", plain=False), {"none": Scalar("null")}]
    data = read(data={Scalar("id"): Scalar("7"), "list": quoted, "ready": 7}).data
    assert data == {"id": 7, "list": ["7", "true", {"none": None}], "ready": 7}
    assert [type(text) for text in (next(iter(data)), data["list"][1])] == [str, str]


def test_what_came_from_the_environment_is_not_quoted_in_an_error() -> None:
    hidden = Scalar("hunter2", redacted="***")
    for field in ("wait", "size", "rate", "share", "count", "flag"):
        text = refusal(**{field: hidden})
        assert "'***'" in text
        assert "hunter2" not in text
        for hint in ("5/99999d", "99999d"):
            assert hint not in refusal(**{field: Scalar(hint, redacted="***")})
    assert shown([hidden]) == "a list"
    assert shown({"key": hidden}) == "a mapping"


@pytest.mark.parametrize(("field", "what"), [("wait", "duration"), ("size", "size"), ("count", "whole number")])
def test_a_boolean_is_not_a_number(field: str, what: str) -> None:
    assert f"True is not a {what}" in refusal(**{field: True})


def test_a_model_refuses_what_it_does_not_know_and_never_changes() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Model.model_validate({"wiat": "1s"})
    with pytest.raises(ValidationError, match="frozen"):
        Model().wait = 2.0  # type: ignore[misc]  # the promise is that this fails


def test_a_validation_error_does_not_hold_the_input() -> None:
    with pytest.raises(ValidationError) as caught:
        Model.model_validate({"secret": ["hunter2"], "wait": Scalar("hunter2", redacted="***")})
    assert "hunter2" not in str(caught.value)
    assert "a secret is text" in str(caught.value)


def test_a_secret_is_shown_by_nothing() -> None:
    secret = Secret("hunter2")
    model = read(secret=Scalar("hunter2"))
    ways = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>10}",
        f"{secret:>10}",
        "%s %r" % (secret, secret),  # noqa: UP031 - one of the ways
        str([secret]),
        json.dumps({"token": secret}, default=str),
        repr(model),
        str(model.model_dump()),
        model.model_dump_json(),
        repr(model.model_dump(mode="json")),
    ]
    for way in ways:
        assert "hunter2" not in way
        assert "***" in way
    assert f"{secret:>5}" == "  ***"
    assert secret.reveal() == "hunter2"


def test_a_secret_cannot_be_pickled_or_copied_away() -> None:
    for way in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="a secret is not pickled"):
            way(Secret("hunter2"))
    with pytest.raises(TypeError):
        vars(Secret("hunter2"))


@settings(max_examples=200)
@given(st.text(st.characters(), max_size=10), st.text(st.characters(), max_size=10))
@example("a", "a")
@example("\udcff", "\udcff")
@example("\udcff", "x")
@example("\udcff", "?")
def test_secrets_compare_by_their_text_and_with_nothing_else(one: str, other: str) -> None:
    """A variable that is not UTF-8 holds lone surrogates (PEP 383)."""
    assert (Secret(one) == Secret(other)) is (one == other)
    assert hash(Secret(one)) == hash(Secret(one))
    assert Secret(one) != one
    assert bool(Secret(one)) is bool(one)


def test_a_secret_is_described_as_text_and_takes_only_text() -> None:
    assert Model.model_json_schema()["properties"]["secret"]["format"] == "password"
    kept = Secret("a")
    assert read(secret=kept).secret is kept
    assert type(read(secret=Scalar("a")).secret.reveal()) is str
    assert "a secret is text" in refusal(secret=7)


@pytest.mark.parametrize("field", ["wait", "size", "rate", "share"])
def test_the_schema_gives_a_pattern_that_its_own_examples_fit(field: str) -> None:
    described = Model.model_json_schema()["properties"][field]
    assert described["examples"]
    for text in described["examples"]:
        assert re.fullmatch(described["pattern"], text)
        read(**{field: Scalar(text)})
