"""Which message is the reply: a function, or a jq expression."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from wscli.client.messages import Message
from wscli.control.requests import Ref
from wscli.errors import UsageError
from wscli.expressions import InvalidExpression, check_expression, compile_condition, is_json

__all__ = ["Expression", "Match", "check_match", "matcher"]

Match = Callable[[Message], bool] | str


def check_match(match: Match, *, refers: bool) -> None:
    """Refuse an invalid expression before anything is sent; ``$ref`` is defined if the message refers.

    Raises:
        UsageError: the expression does not compile.

    """
    if isinstance(match, str):
        try:
            check_expression(match, ("ref",) if refers else ())
        except InvalidExpression as error:
            hint = f"it reads {match!r}"
            if str(error).startswith("$ref "):
                hint += "; $ref is what {ref.int}, {ref.str} or {ref.uuid} in the message became"
            raise UsageError(f"the expression does not compile: {error}", hint) from None


def matcher(match: Match, ref: Ref | None = None) -> Callable[[Message], bool]:
    """Return the function; an expression matches a message if any of its results is neither false nor null.

    It sees the parsed message, and ``ref`` as ``$ref``. It never matches a message that is not JSON, or that it fails
    on.

    Raises:
        UsageError: the expression does not compile.

    """
    if not isinstance(match, str):
        return match
    check_match(match, refers=ref is not None)
    return Expression(_condition(match) if ref is None else compile_condition(match, {"ref": ref}))


class Expression:
    """A jq expression that matches messages."""

    def __init__(self, condition: Callable[[str], bool]) -> None:
        self.failed = ""
        """The reason of its last failure."""
        self._condition = condition

    def __call__(self, message: Message) -> bool:
        """Say whether it matches a message."""
        if not isinstance(message.data, str) or not is_json(message.data):
            return False
        try:
            return self._condition(message.data)
        except ValueError as error:  # jq's own: the expression failed, or its parser is stricter than Python's
            self.failed = str(error)
            return False


@lru_cache(64)  # compiling takes milliseconds, and a program makes the same requests again and again
def _condition(expression: str) -> Callable[[str], bool]:
    return compile_condition(expression)
