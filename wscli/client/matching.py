"""Which message is the reply: a function, or a jq expression."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NoReturn

from wscli.client.messages import Message
from wscli.control.refs import Ref
from wscli.errors import UsageError

__all__ = ["Expression", "Match", "check", "matcher"]

Match = Callable[[Message], bool] | str


def check(match: Match, *, refers: bool) -> None:
    """Refuse an expression before anything is sent; ``$ref`` stands in it where the message refers.

    Raises:
        UsageError: the expression does not compile.

    """
    if isinstance(match, str):
        _check(match, refers)


def matcher(match: Match, ref: Ref | None = None) -> Callable[[Message], bool]:
    """Make the function; an expression is true of a message if any of its results is neither false nor null.

    It sees the parsed message, and ``ref`` as ``$ref``. What is not JSON, and what it fails on, is no reply.

    Raises:
        UsageError: the expression does not compile.

    """
    if not isinstance(match, str):
        return match
    _check(match, ref is not None)
    return Expression(_compiled(match) if ref is None else _compile(match, {"ref": ref}))


class Expression:
    """A jq program that is true or not of a message."""

    def __init__(self, program: Any) -> None:
        self.failed = ""
        """What it said when it failed last."""
        self._program = program

    def __call__(self, message: Message) -> bool:
        """Say whether it is true of a message."""
        if not isinstance(message.data, str) or not _is_json(message.data):
            return False
        try:
            return bool(next(iter(self._program.input_text(message.data)), False))  # it may halt without a result
        except ValueError as error:  # jq's own: the expression failed, or its parser is stricter than Python's
            self.failed = str(error)
            return False


@lru_cache(64)
def _check(expression: str, refers: bool) -> None:
    """Compile it by itself: what is put around it later would make sense of half an expression."""
    import jq  # type: ignore[import-not-found]  # an extension module without types; here, since few ask for it

    try:
        jq.compile(expression, args={"ref": 0} if refers else {})
    except ValueError as error:
        what = str(error).removeprefix("jq: error: ").splitlines()[0].rstrip(":")
        hint = f"it reads {expression!r}"
        if what.startswith("$ref "):
            hint += "; $ref is what {ref.int}, {ref.str} or {ref.uuid} in the message became"
        raise UsageError(f"the expression does not compile: {what}", hint) from None


def _compile(expression: str, values: Mapping[str, Ref]) -> Any:
    import jq

    return jq.compile(f"any(({expression}\n); .)", args=values)


@lru_cache(64)  # compiling takes milliseconds, and a program makes the same requests again and again
def _compiled(expression: str) -> Any:
    return _compile(expression, {})


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and Infinity are not JSON (RFC 8259, section 6)


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True
