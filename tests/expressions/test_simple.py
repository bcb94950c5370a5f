"""Which expressions end soon on any text."""

from __future__ import annotations

import pytest

from wscli.expressions.simple import is_simple


@pytest.mark.parametrize(
    "expression",
    [
        ".", ".id == $ref", '.type == "ack" and .id > -1', '.a.b[0]["x-y"]? // null', "select(.n > 2 and .pad)",
        ".data | {id, text: .t, length}", "[.a, .b]", 'has("id") | not', '.s | startswith("x")', ".a[1:]", "1.5",
    ],
)  # fmt: skip
def test_paths_literals_and_comparisons_are_simple(expression: str) -> None:
    assert is_simple(expression)


@pytest.mark.parametrize(
    "expression",
    [
        "[range(.n)]", "def f: f; f", "..", "recurse", ".[]", ".a[ ]", "while(true; .)", '"x" * .n', ".a - .b", "input",
        ".[.n] = 1", ".a |= 1", ".a //= 1", "reduce .[] as $x (0; .)", '"\\(range(.n))"', ". as $x | $x", "@base64",
        "limit(.n; repeat(1))", "{a: range(.n)}", "{a}, combinations, {b}", "until(.; .)", '.s | test("(a+)+$")', "#",
        "[.,.]|[.,.]|[.,.]|[.,.]|[.,.]|[.,.]|[.,.]|[.,.]",
    ],
)  # fmt: skip
def test_what_repeats_or_grows_is_not(expression: str) -> None:
    assert not is_simple(expression)
