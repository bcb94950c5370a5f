"""Placeholders and their filters."""

from __future__ import annotations

import base64
import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote

from wscli.jsontext import encode_json
from wscli.templates.paths import ABSENT
from wscli.values import Scalar, parse_json_scalar

__all__ = ["Placeholder", "Scope", "TemplateError", "as_text", "did_you_mean", "filter_problem", "now"]

Scope = Mapping[str, Any]
"""Namespace to name to value: ``{"token": {"session": "..."}, "param": {"id": "42"}}``; ``msg`` is any JSON value."""

_WHOLE = re.compile(r"-?[0-9]{1,300}")
_ADDED = re.compile(r"[+-][0-9]{1,18}")


class TemplateError(ValueError):
    """A template cannot be compiled or filled; the message quotes the placeholder, never a value."""


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str:
    """Give ``; did you mean 'backoff'?`` for a misspelt word, or an empty text; ``cutoff`` is difflib's."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=cutoff)
    return f"; did you mean {near[0]!r}?" if near else ""


def now(seconds: float) -> dict[str, Any]:
    """Give ``{now.ms}``, ``{now.s}`` and ``{now.rfc3339}`` of a time in seconds since the epoch."""
    return {"ms": int(seconds * 1000), "s": int(seconds), "rfc3339": _rfc3339(int(seconds))}


def as_text(value: Any) -> str:
    """Give text unchanged, and any other JSON value as compact JSON.

    Raises:
        TypeError: it is bytes.
    """
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    if isinstance(value, bytes):
        raise TypeError("bytes have no JSON")
    return encode_json(value).decode()


def _as_bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else as_text(value).encode()


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not _WHOLE.fullmatch(as_text(value)):
        raise ValueError("not a whole number")
    return int(as_text(value))


def _base64url(value: Any) -> str:
    """Encode without padding (RFC 7515, section 2), as a subprotocol or a URL needs."""
    return base64.urlsafe_b64encode(_as_bytes(value)).decode().rstrip("=")


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number of seconds")
    return value


def _rfc3339(value: Any) -> str:
    return datetime.fromtimestamp(_seconds(value), UTC).isoformat().replace("+00:00", "Z")


_FILTERS: dict[str, Callable[[Any], Any]] = {
    "str": as_text,
    "int": _integer,
    "json": _json,
    "base64": lambda value: base64.b64encode(_as_bytes(value)).decode(),
    "base64url": _base64url,
    "url": lambda value: quote(as_text(value), safe=""),
    "len": lambda value: len(_as_bytes(value)),
    "list": _list,
    "ms": lambda value: int(_seconds(value) * 1000),
    "rfc3339": _rfc3339,
}


def filter_problem(name: str) -> str | None:
    """Say what is wrong with a filter's name; None: it is one."""
    if name in _FILTERS or _ADDED.fullmatch(name):
        return None
    near = did_you_mean(name, _FILTERS) or f"; filters are {', '.join(_FILTERS)}, '+N' and '-N'"
    return f"unknown filter {name!r}{near}"


class Placeholder(NamedTuple):
    """``{space.name:filter?default}``."""

    space: str
    name: str
    """Of ``msg`` a dotted path, empty for the whole message."""
    filter: str | None
    default: str | None = None

    def __str__(self) -> str:
        name = f".{self.name}" if self.name else ""
        filtered = "" if self.filter is None else f":{self.filter}"
        return f"{{{self.space}{name}{filtered}}}"

    def value(self, scope: Scope) -> Any:
        """Look the value up and filter it; ``ABSENT`` where an empty default leaves it out.

        Raises:
            TemplateError: it has no value and no default, the filter refuses it, or it is bytes without a filter.
        """
        value = self._value(scope)
        return self._default_value() if value is ABSENT else value

    def text(self, scope: Scope, *, encoded: bool = False) -> str:
        """Give the value as text, percent-encoded if told so; a default is as it is written.

        Raises:
            TemplateError: see ``value``.
        """
        value = self._value(scope)
        if value is ABSENT:
            return self.default or ""
        return quote(as_text(value), safe="") if encoded and self.filter != "url" else as_text(value)

    def _value(self, scope: Scope) -> Any:
        found = _at(scope.get(self.space, ABSENT), self.name) if self.space == "msg" else _named(scope, self)
        if found is ABSENT:
            if self.default is None:
                raise TemplateError(f"'{self}' has no value")
            return ABSENT
        try:
            if self.filter is not None:
                return _FILTERS[self.filter](found) if self.filter in _FILTERS else _integer(found) + int(self.filter)
        except (ValueError, TypeError, OverflowError, OSError, RecursionError):  # OSError: a date unknown to the system
            raise TemplateError(f"the value of '{self}' does not fit its filter") from None
        if isinstance(found, bytes):
            raise TemplateError(f"the value of '{self}' is bytes; write '{{{self.space}.{self.name}:base64}}'")
        return found

    def _default_value(self) -> Any:
        return parse_json_scalar(Scalar(self.default)) if self.default else ABSENT


def _named(scope: Scope, placeholder: Placeholder) -> Any:
    names = scope.get(placeholder.space)
    return ABSENT if names is None else names.get(placeholder.name, ABSENT)


def _at(value: Any, dotted: str) -> Any:
    for part in dotted.split(".") if dotted else ():
        if isinstance(value, dict):
            value = value.get(part, ABSENT)
        elif isinstance(value, list) and part.isascii() and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return ABSENT
    return value
