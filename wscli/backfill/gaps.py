"""The parameters of a call: facts of the gap, and values of the last message before it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from wscli.jsontext import decode_json
from wscli.templates.paths import ABSENT, JsonPath

__all__ = ["captured", "facts_of"]


def facts_of(*, after: int, last_at: float | None, start: float, end: float) -> dict[str, Any]:
    """Give ``{gap.after}``, ``{gap.since}``, ``{gap.start}`` and ``{gap.end}``.

    Args:
        after: the number of the last message before the gap.
        last_at: when that message arrived, if there is one: the connection may have been dead since.
        start: the start of the gap in seconds since the epoch; rounded down.
        end: its end; rounded up.
    """
    since = math.floor(start if last_at is None else min(start, last_at))
    return {"after": after, "since": since, "start": math.floor(start), "end": math.ceil(end)}


def captured(capture: Mapping[str, JsonPath], newest_first: Iterable[bytes]) -> dict[str, Any] | None:
    """Give the values of the first message that has all of them, none of them null; None: no message has."""
    for message in newest_first:
        try:
            value = decode_json(message)
        except ValueError:  # not JSON, or too deep
            continue
        found = {name: path.get(value) for name, path in capture.items()}
        if not any(item is ABSENT or item is None for item in found.values()):
            return found
    return None
