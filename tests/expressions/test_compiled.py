"""jq expressions: compiled by themselves first, conditions and programs, and what counts as JSON."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wscli.expressions.compiled import InvalidExpression, check_expression, compile_condition, compile_program, is_json


@pytest.mark.parametrize("expression", [".id ==", "1) or (2", "$ref"])
def test_an_expression_that_does_not_compile_by_itself_is_invalid_in_one_line(expression: str) -> None:
    for compile_ in (check_expression, compile_condition, compile_program):
        with pytest.raises(InvalidExpression) as refused:
            compile_(expression)
        assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("expression", "true"),
    [
        (".a == 1", True), (".a", True), (".b", False), ("false, .a", True), ("false, 0", True), ("null, .b", False),
        ("empty", False), ("halt", False), (".a # a comment", True), ("select(.a > 1)", False),
    ],
)  # fmt: skip
def test_a_condition_holds_where_any_result_is_neither_false_nor_null(expression: str, true: bool) -> None:
    assert compile_condition(expression)('{"a":1}') is true


def test_a_condition_may_have_variables() -> None:
    assert compile_condition(".id == $ref", {"ref": 7})('{"id":7}')


def test_a_program_prints_as_jq_rc_does() -> None:
    assert list(compile_program(".[]")('["a", {"b": 1}]')) == ["a", '{"b":1}']


def test_a_failure_on_a_text_is_a_value_error_with_jqs_words() -> None:
    with pytest.raises(ValueError, match="Cannot index number"):
        compile_condition(".a")("7")


def test_nan_and_endless_nesting_are_not_json() -> None:
    assert is_json("1")
    assert not any(map(is_json, ("NaN", "", "[" * 100_000)))


def test_jq_is_imported_with_the_first_expression() -> None:
    code = (
        "import sys, wscli.expressions.compiled as e\nassert 'jq' not in sys.modules\n"
        "e.check_expression('.')\nsys.modules['jq']"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
