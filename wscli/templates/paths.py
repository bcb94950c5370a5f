"""Paths into JSON values: jq's literal subset with ``|fromjson`` and ``|base64d``; absent differs from null."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

from wscli.jsontext import decode_json
from wscli.values import shown

__all__ = ["ABSENT", "JsonPath", "compile_path_expression"]

ABSENT = object()
"""The result of a path without a value."""

_STEP = re.compile(
    r'\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\.(?P<text>"(?:[^"\\]|\\.)*")'
    r'|\.?\[(?:(?P<key>"(?:[^"\\]|\\.)*")|(?P<index>-?[0-9]{1,9})|(?P<each>))\]'
)
_WHOLE = re.compile(r"\.(?=\s*(?:\||$))")
_FILTER = re.compile(r"(?P<filter>fromjson|base64d)(?![A-Za-z0-9_])")
_PIPE = re.compile(r"\s*\|\s*")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]")


class _Op(Enum):
    EACH = "[]"
    FROMJSON = "fromjson"
    BASE64D = "base64d"


_Step = str | int | _Op


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A compiled path."""

    source: str = field(compare=False)
    steps: tuple[_Step, ...] = field(repr=False)

    get: Callable[[Any], Any] = field(init=False, repr=False, compare=False)
    """Gives the value at the path; ``ABSENT`` where there is none."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "get", _getter(self.steps))

    @property
    def many(self) -> bool:
        """Whether it has a ``[]``, so that ``each`` is meant."""
        return _Op.EACH in self.steps

    def each(self, value: Any) -> list[Any] | None:
        """Give the values at the path, of ``[]`` each element's; an element without the rest of the path is whole.

        None: there is nothing at the path, or no list where ``[]`` stands.
        """
        return _each(self.steps, value)


def _getter(steps: tuple[_Step, ...]) -> Callable[[Any], Any]:
    """Make the function of a path; one of keys alone is on the way of each message."""
    if len(steps) == 1 and isinstance(steps[0], str):
        only = steps[0]
        return lambda value: value.get(only, ABSENT) if value.__class__ is dict else ABSENT
    return partial(_walk, steps)


def _walk(steps: tuple[_Step, ...], value: Any) -> Any:
    for step in steps:
        if isinstance(step, str):
            value = value.get(step, ABSENT) if isinstance(value, dict) else ABSENT
        elif isinstance(step, int):
            value = value[step] if isinstance(value, list) and -len(value) <= step < len(value) else ABSENT
        else:
            value = _converted(step, value)
        if value is ABSENT:
            return ABSENT
    return value


def _each(steps: tuple[_Step, ...], value: Any) -> list[Any] | None:
    if _Op.EACH not in steps:
        found = _walk(steps, value)
        return None if found is ABSENT else [found]
    at = steps.index(_Op.EACH)
    items = _walk(steps[:at], value)
    if not isinstance(items, list):
        return None
    found = []
    for item in items:
        inner = _each(steps[at + 1 :], item)
        found += [item] if inner is None else inner
    return found


def _converted(step: _Op, value: Any) -> Any:
    """Decode as jq's ``fromjson`` and ``base64d`` do; bytes that are not UTF-8 stay bytes."""
    if step is _Op.FROMJSON and isinstance(value, (str, bytes)):
        try:
            return decode_json(value)
        except ValueError:
            return ABSENT
    if step is _Op.BASE64D and isinstance(value, str):
        digits = value.replace("-", "+").replace("_", "/").rstrip("=")
        if _NOT_BASE64.search(digits) or len(digits) % 4 == 1:
            return ABSENT
        decoded = base64.b64decode(digits + "=" * (-len(digits) % 4))
        try:
            return decoded.decode()
        except UnicodeDecodeError:
            return decoded
    return ABSENT


def compile_path_expression(text: str, *, many: bool = False) -> JsonPath:
    """Compile ``.``, ``.a.b``, ``.a[0]``, ``.a[-1]``, ``.["x-y"]`` or ``.a|fromjson|.b``.

    Args:
        text: the path.
        many: whether ``.a[]`` is allowed, which gives each element.

    Raises:
        ValueError: the text is invalid; the message says from where.
    """
    source = str(text)
    steps: list[_Step] = []
    at, term = 0, True
    while term or at < len(source):
        found = _term(source, at) if term else _STEP.match(source, at) or _PIPE.match(source, at)
        if found is None:
            raise _refusal(text, source[at:])
        term = found.re is _PIPE
        try:
            steps += _steps(found)
        except ValueError:
            raise _refusal(text, found.group()) from None
        at = found.end()
    if not many and _Op.EACH in steps:
        raise ValueError(f"invalid path {shown(text)}: '[]' gives many values, which only 'show' can take")
    return JsonPath(source, tuple(steps))


def _term(source: str, at: int) -> re.Match[str] | None:
    """Match the beginning of what stands at the start or after a pipe."""
    found = _FILTER.match(source, at) if at else None
    if found or not source.startswith(".", at):
        return found
    return _WHOLE.match(source, at) or _STEP.match(source, at)


def _steps(found: re.Match[str]) -> list[_Step]:
    if found.re is _FILTER:
        return [_Op(found["filter"])]
    if found.re is not _STEP:
        return []
    if found["each"] is not None:
        return [_Op.EACH]
    if found["index"]:
        return [int(found["index"])]
    return [found["name"] or str(json.loads(found["text"] or found["key"]))]


def _refusal(text: str, rest: str) -> ValueError:
    where = "" if rest in ("", str(text)) or shown(text) != repr(str(text)) else f" at {rest!r}"
    return ValueError(f"invalid path {shown(text)}{where}; write one such as '.token' or '.data[0][\"x-y\"]'")
