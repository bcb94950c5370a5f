"""jq expressions, compiled here and nowhere else; the library is imported with the first one.

A compiled expression takes a JSON text and raises ValueError, with jq's own words, where it fails on that text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NoReturn

__all__ = ["InvalidExpression", "check_expression", "compile_condition", "compile_program", "is_json"]


class InvalidExpression(ValueError):
    """It does not compile; the text is jq's reason, in one line."""


@lru_cache(256)  # compiling takes milliseconds, and many channels or requests may share an expression
def check_expression(expression: str, variables: tuple[str, ...] = ()) -> None:
    """Compile an expression by itself: the text that is put around it later could complete half an expression.

    Raises:
        InvalidExpression: it does not compile.
    """
    _compile(expression, dict.fromkeys(variables, 0))


def compile_condition(expression: str, values: Mapping[str, object] | None = None) -> Callable[[str], bool]:
    """Return a function that says whether any result of the expression is neither false nor null.

    Args:
        expression: the jq expression.
        values: its variables, without the dollar.

    Raises:
        InvalidExpression: it does not compile.
    """
    check_expression(expression, tuple(values or ()))
    program = _compile(f"any(({expression}\n); .)", values or {})
    return lambda text: list(program.input_text(text)) == [True]  # no result at all where it halts


def compile_program(expression: str) -> Callable[[str], Iterator[str]]:
    """Return a function that gives the expression's results as ``jq -rc`` prints them.

    Raises:
        InvalidExpression: it does not compile.
    """
    check_expression(expression)
    program = _compile(f'({expression}\n) | if type == "string" then . else tojson end', {})
    return lambda text: iter(program.input_text(text))


def is_json(text: str) -> bool:
    """Say whether a text is JSON (RFC 8259); jq's parser alone also takes NaN."""
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and Infinity are not JSON (RFC 8259, section 6)


def _compile(expression: str, values: Mapping[str, object]) -> Any:
    import jq  # type: ignore[import-not-found]  # an extension module without types

    try:
        return jq.compile(expression, args=dict(values))
    except ValueError as error:
        line = next(iter(str(error).removeprefix("jq: error: ").splitlines()), "")
        raise InvalidExpression(line.rstrip(":")) from None
