"""Paths into JSON values: jq's literal subset, ``.a.b[0]["x-y"]``; absent differs from null."""

from __future__ import annotations

import json
import re
from enum import Enum
from typing import Any, Final

from wscli.values import shown

__all__ = ["ABSENT", "Absent", "JsonPath", "compile_path_expression"]


class Absent(Enum):
    """The type of ``ABSENT``."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT
"""What a path gives that leads nowhere."""

_STEP = re.compile(
    r'\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\.(?P<text>"(?:[^"\\]|\\.)*")'
    r'|\.?\[(?:(?P<key>"(?:[^"\\]|\\.)*")|(?P<index>-?[0-9]{1,9}))\]'
)


class JsonPath:
    """A compiled path."""

    __slots__ = ("_steps", "source")

    source: str

    def __init__(self, source: str, steps: tuple[str | int, ...]) -> None:
        self.source = source
        self._steps = steps

    def get(self, value: Any) -> Any:
        """Follow it into a JSON value; ``ABSENT`` where it leads nowhere, as through a number."""
        for step in self._steps:
            if isinstance(step, str):
                value = value.get(step, ABSENT) if isinstance(value, dict) else ABSENT
            elif isinstance(value, list) and -len(value) <= step < len(value):
                value = value[step]
            else:
                return ABSENT
        return value

    def __eq__(self, other: object) -> bool:
        return self._steps == other._steps if isinstance(other, JsonPath) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._steps)

    def __repr__(self) -> str:
        return f"JsonPath({self.source!r})"


def compile_path_expression(text: str) -> JsonPath:
    """Compile ``.``, ``.a.b``, ``.a[0]``, ``.a[-1]`` or ``.["x-y"]``.

    Raises:
        ValueError: it is something else; the sentence says where it stops to make sense.

    """
    source = str(text)
    steps: list[str | int] = []
    at = 0
    while at < len(source) and source != ".":
        found = _STEP.match(source, at) if source.startswith(".") else None
        if found is None:
            raise _refusal(text, source[at:])
        try:
            steps.append(int(found["index"]) if found["index"] else _key(found))
        except ValueError:
            raise _refusal(text, found.group()) from None
        at = found.end()
    if not source:
        raise _refusal(text, "")
    return JsonPath(source, tuple(steps))


def _key(found: re.Match[str]) -> str:
    return found["name"] or str(json.loads(found["text"] or found["key"]))


def _refusal(text: str, rest: str) -> ValueError:
    where = "" if rest in ("", str(text)) or shown(text) != repr(str(text)) else f" from {rest!r} on"
    return ValueError(f"{shown(text)} is not a path{where}; write one such as '.token' or '.data[0][\"x-y\"]'")
