"""The ``jq`` of ``on_message``: whether the command runs for a message."""

from __future__ import annotations

from collections.abc import Callable

from wscli.control.text import escape
from wscli.expressions import compile_condition, is_json

__all__ = ["FilterFailed", "NotJson", "compile_filter"]

_LONGEST_QUOTE = 200


class NotJson(Exception):
    """The message is not JSON (RFC 8259)."""


class FilterFailed(Exception):
    """The expression failed on the message; the text is one escaped line."""


def compile_filter(expression: str) -> Callable[[bytes], bool]:
    """Return a function that says whether the expression yields anything but false and null for a text message.

    The function raises NotJson or FilterFailed.

    Raises:
        ValueError: it does not compile.
    """
    try:
        condition = compile_condition(expression)
    except ValueError as error:
        raise ValueError(_quoted(error)) from None

    def fits(payload: bytes) -> bool:
        text = payload.decode()
        if not is_json(text):
            raise NotJson
        try:
            return condition(text)
        except ValueError as error:  # jq's own: the program failed, or its parser is stricter than Python's
            raise FilterFailed(_quoted(error)) from None

    return fits


def _quoted(error: ValueError) -> str:
    line = next(iter(str(error).splitlines()), "")
    return escape(line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]}...")
