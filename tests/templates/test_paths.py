"""jq's literal subset, and that absent is not null."""

from __future__ import annotations

import json

import jq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.templates.paths import ABSENT, compile_path_expression

VALUE = {"a": {"b": [{"x-y": 1, "n": None}]}, "token": "t", "": 0, 'q"': 2}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".", VALUE),
        (".token", "t"),
        ('.a.b[0]["x-y"]', 1),
        ('.a.b[0]."x-y"', 1),
        ('.a["b"][-1].n', None),
        ('.["q\\""]', 2),
        ('.[""]', 0),
        (".a.b.[0]", {"x-y": 1, "n": None}),
    ],
)
def test_a_path_finds_what_jq_finds(path: str, expected: object) -> None:
    assert compile_path_expression(path).get(VALUE) == expected
    assert jq.first(path, VALUE) == expected


@pytest.mark.parametrize(
    "path", [".nope", ".a.b[1]", ".a.b[-2]", ".token.x", ".token[0]", ".a[0]", ".a.b.c", ".a.b[0].n.x"]
)
def test_what_is_not_there_is_absent_and_not_null(path: str) -> None:
    assert compile_path_expression(path).get(VALUE) is ABSENT


@pytest.mark.parametrize(
    "path",
    ["", "token", "..", ".a.", ".a b", ".a[", ".a[x]", ".a[0", ".[]", ".a[1:2]", ".a|length", ".a?", '.["x]', "$x",
     ".1", "[0]", '.["\\q"]', "fromjson", "|fromjson", ".a|", ".a|fromjsonx", ".a|b", ".a||.b", ".|.|"],
)  # fmt: skip
def test_everything_else_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="invalid path") as caught:
        compile_path_expression(path)
    assert "\n" not in str(caught.value)


@given(st.lists(st.text() | st.integers(-3, 3), min_size=1, max_size=4))
def test_any_key_can_be_written_and_is_found(steps: list[str | int]) -> None:
    value: object = "found"
    for step in reversed(steps):
        value = {step: value} if isinstance(step, str) else [value] * 3 if step not in (3, -3) else [value] * 4
    path = "." + "".join(f"[{json.dumps(step)}]" for step in steps)
    assert compile_path_expression(path).get(value) == "found"


def test_paths_are_equal_by_where_they_lead() -> None:
    assert compile_path_expression('.["a"]') == compile_path_expression(".a")
    assert compile_path_expression(".a") != compile_path_expression(".b")
    assert hash(compile_path_expression(".a")) == hash(compile_path_expression('.["a"]'))


NESTED = {"data": '{"id":[1,"x"]}', "bad": "{", "b64": "eyJpZCI6N30=", "raw": "/+8=", "url": "_-8", "one": "A", "n": 1}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".data|fromjson", {"id": [1, "x"]}),
        (".data|fromjson|.id[1]", "x"),
        (".data | fromjson | .id | .[0]", 1),
        (".data|fromjson.id[0]", 1),
        (".data|.|fromjson|.", {"id": [1, "x"]}),
        (".b64|base64d", '{"id":7}'),
        (".b64|base64d|fromjson|.id", 7),
        (".raw|base64d", b"\xff\xef"),
        (".url|base64d", b"\xff\xef"),
        ('.["data"]|fromjson|.id', [1, "x"]),
    ],
)
def test_text_within_a_message_is_decoded(path: str, expected: object) -> None:
    assert compile_path_expression(path).get(NESTED) == expected
    if "base64d" not in path:  # which the jq of the tests lacks
        assert jq.first(path, NESTED) == expected


@pytest.mark.parametrize(
    "path",
    [
        ".bad|fromjson",
        ".n|fromjson",
        ".gone|fromjson",
        ".one|base64d",
        ".bad|base64d",
        ".n|base64d",
        ".data|fromjson|.a",
    ],
)
def test_what_cannot_be_decoded_is_absent(path: str) -> None:
    assert compile_path_expression(path).get(NESTED) is ABSENT


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (".m[]", {"m": [1, None]}, [1, None]),
        (".m[].d", {"m": [{"d": 1}, {"d": 2}]}, [1, 2]),
        (".m[].d", {"m": [{"d": 1}, {"x": 2}]}, [1, {"x": 2}]),
        (".m[][]", {"m": [[1], [2, 3], 4]}, [1, 2, 3, 4]),
        (".m[]|fromjson|.a", {"m": ['{"a":1}', '{"a":2}']}, [1, 2]),
        (".[]", [], []),
        (".m[]", {"m": {"a": 1}}, None),
        (".m[]", {}, None),
        (".m", {"m": [1]}, [[1]]),
        (".m", {}, None),
    ],
)
def test_each_element_is_a_value(path: str, value: object, expected: object) -> None:
    compiled = compile_path_expression(path, many=True)
    assert compiled.each(value) == expected
    assert compiled.many is ("[]" in path)


def test_many_values_are_refused_where_one_is_wanted() -> None:
    with pytest.raises(ValueError, match=r"'\[\]' gives many values, which only 'show' can take"):
        compile_path_expression(".messages[].x")
