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
