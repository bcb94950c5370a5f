"""The ``jq`` of ``on_message``: whether the command runs for a message."""

from __future__ import annotations

from wscli.control.escape import escape
from wscli.expressions import compile_condition, is_json

__all__ = ["Filter", "FilterFailed", "NotJson"]

_LONGEST_QUOTE = 200


class NotJson(Exception):
    """The message is not JSON."""


class FilterFailed(Exception):
    """The expression failed on the message; the text is one escaped line."""


class Filter:
    """A compiled expression.

    Raises:
        ValueError: it does not compile.

    """

    def __init__(self, expression: str) -> None:
        try:
            self._condition = compile_condition(expression)
        except ValueError as error:
            raise ValueError(_quoted(error)) from None

    def fits(self, payload: bytes) -> bool:
        """Say whether the expression yields anything but false and null for a text message.

        Raises:
            NotJson: the message is not JSON (RFC 8259).
            FilterFailed: the expression failed on it.

        """
        text = payload.decode()
        if not is_json(text):
            raise NotJson
        try:
            return self._condition(text)
        except ValueError as error:  # jq's own: the program failed, or its parser is stricter than Python's
            raise FilterFailed(_quoted(error)) from None


def _quoted(error: ValueError) -> str:
    line = next(iter(str(error).splitlines()), "")
    return escape(line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]}...")
