"""Which message is the reply: a function, or a jq expression."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NoReturn

from wscli.client.messages import Message
from wscli.errors import UsageError

__all__ = ["Match", "matcher"]

Match = Callable[[Message], bool] | str


def matcher(match: Match) -> Callable[[Message], bool]:
    """Make the function; an expression is true of a message if any of its results is neither false nor null.

    It sees the parsed message. What is not JSON, and what the expression fails on, is no reply.

    Raises:
        UsageError: the expression does not compile.

    """
    if not isinstance(match, str):
        return match
    program = _compile(match)

    def matches(message: Message) -> bool:
        if not isinstance(message.data, str) or not _is_json(message.data):
            return False
        try:
            return bool(next(iter(program.input_text(message.data)), False))  # it may halt without a result
        except ValueError:  # jq's own: the expression failed, or its parser is stricter than Python's
            return False

    return matches


@lru_cache(64)  # compiling takes milliseconds, and a program makes the same requests again and again
def _compile(expression: str) -> Any:
    import jq  # type: ignore[import-not-found]  # an extension module without types; here, since few ask for it

    try:
        jq.compile(expression)  # by itself first: what follows would make sense of half an expression
        return jq.compile(f"any(({expression}\n); .)")
    except ValueError as error:
        what = str(error).removeprefix("jq: error: ").splitlines()[0].rstrip(":")
        raise UsageError(f"the expression does not compile: {what}", f"it reads {expression!r}") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and Infinity are not JSON (RFC 8259, section 6)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True
