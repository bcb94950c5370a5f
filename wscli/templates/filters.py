"""Placeholders and their filters."""

from __future__ import annotations

import base64
import difflib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

__all__ = ["FILTERS", "Placeholder", "Scope", "TemplateError", "as_text", "did_you_mean"]

Scope = Mapping[str, Mapping[str, Any]]
"""Namespace to name to value: ``{"token": {"session": "..."}, "param": {"id": "42"}}``."""

_WHOLE = re.compile(r"-?[0-9]{1,300}")


class TemplateError(ValueError):
    """A template cannot be compiled or filled; the message quotes the placeholder, never a value."""


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Give ``; did you mean 'backoff'?`` for a misspelt word, or an empty text; ``cutoff`` is difflib's."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {near[0]!r}?" if near else ""


def as_text(value: Any) -> str:
    """Give text unchanged, and any other JSON value as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not _WHOLE.fullmatch(as_text(value)):
        raise ValueError("not a whole number")
    return int(as_text(value))


def _base64url(value: Any) -> str:
    """Encode without padding (RFC 7515, section 2), as a subprotocol or a URL needs."""
    return base64.urlsafe_b64encode(as_text(value).encode()).decode().rstrip("=")


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number of seconds")
    return value


FILTERS: dict[str, Callable[[Any], Any]] = {
    "str": as_text,
    "int": _integer,
    "json": lambda value: json.dumps(value, ensure_ascii=False, separators=(",", ":")),
    "base64": lambda value: base64.b64encode(as_text(value).encode()).decode(),
    "base64url": _base64url,
    "url": lambda value: quote(as_text(value), safe=""),
    "len": lambda value: len(as_text(value).encode()),
    "ms": lambda value: int(_seconds(value) * 1000),
    "rfc3339": lambda value: datetime.fromtimestamp(_seconds(value), UTC).isoformat().replace("+00:00", "Z"),
}


class Placeholder(NamedTuple):
    """``{space.name:filter}``."""

    space: str
    name: str
    filter: str | None

    def __str__(self) -> str:
        return f"{{{self.space}.{self.name}{f':{self.filter}' if self.filter else ''}}}"

    def value(self, scope: Scope) -> Any:
        """Look the value up and filter it.

        Raises:
            TemplateError: it has no value, or the filter refuses it.
        """
        try:
            value = scope[self.space][self.name]
        except KeyError:
            raise TemplateError(f"'{self}' has no value") from None
        if self.filter is None:
            return value
        try:
            return FILTERS[self.filter](value)
        except (ValueError, TypeError, OverflowError, OSError):  # OSError: a date that the system does not know
            raise TemplateError(f"the value of '{self}' does not fit its filter") from None
