"""The ``jq`` of ``on_message``: whether the command runs for a message."""

from __future__ import annotations

import json
from typing import NoReturn

import jq  # type: ignore[import-not-found]  # an extension module without types

from wscli.control.escape import escape

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
            jq.compile(expression)  # alone first: wrapped, half an expression might compile
        except ValueError as error:
            raise ValueError(_first_line(str(error).removeprefix("jq: error: ")).rstrip(":")) from None
        self._program = jq.compile(f"any(({expression}\n); .)")

    def fits(self, payload: bytes) -> bool:
        """Say whether the expression yields anything but false and null for a text message.

        Raises:
            NotJson: the message is not JSON (RFC 8259).
            FilterFailed: the expression failed on it.

        """
        text = payload.decode()
        try:
            json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise NotJson from None
        try:
            return list(self._program.input_text(text)) == [True]
        except ValueError as error:  # jq's own: the program failed, or its parser is stricter than Python's
            raise FilterFailed(_first_line(str(error))) from None


def _first_line(text: str) -> str:
    line = next(iter(text.splitlines()), "")
    return escape(line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]}...")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)  # NaN and Infinity are not JSON (RFC 8259, section 6)
