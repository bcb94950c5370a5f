"""Paths into JSON values: jq's literal subset, ``.a.b[0]["x-y"]``; absent differs from null."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from wscli.values import shown

__all__ = ["ABSENT", "JsonPath", "compile_path_expression"]

ABSENT = object()
"""The result of a path without a value."""

_STEP = re.compile(
    r'\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\.(?P<text>"(?:[^"\\]|\\.)*")'
    r'|\.?\[(?:(?P<key>"(?:[^"\\]|\\.)*")|(?P<index>-?[0-9]{1,9}))\]'
)


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A compiled path."""

    source: str = field(compare=False)
    steps: tuple[str | int, ...] = field(repr=False)

    def get(self, value: Any) -> Any:
        """Give the value at the path; ``ABSENT`` where there is none."""
        for step in self.steps:
            if isinstance(step, str):
                value = value.get(step, ABSENT) if isinstance(value, dict) else ABSENT
            elif isinstance(value, list) and -len(value) <= step < len(value):
                value = value[step]
            else:
                return ABSENT
        return value


def compile_path_expression(text: str) -> JsonPath:
    """Compile ``.``, ``.a.b``, ``.a[0]``, ``.a[-1]`` or ``.["x-y"]``.

    Raises:
        ValueError: the text is invalid; the message says from where.
    """
    source = str(text)
    steps: list[str | int] = []
    at = 0
    while at < len(source) and source != ".":
        found = _STEP.match(source, at) if source.startswith(".") else None
        if found is None:
            raise _refusal(text, source[at:])
        try:
            quoted = found["text"] or found["key"]
            steps.append(int(found["index"]) if found["index"] else found["name"] or str(json.loads(quoted)))
        except ValueError:
            raise _refusal(text, found.group()) from None
        at = found.end()
    if not source:
        raise _refusal(text, "")
    return JsonPath(source, tuple(steps))


def _refusal(text: str, rest: str) -> ValueError:
    where = "" if rest in ("", str(text)) or shown(text) != repr(str(text)) else f" at {rest!r}"
    return ValueError(f"invalid path {shown(text)}{where}; write one such as '.token' or '.data[0][\"x-y\"]'")
