"""The values in the query of a request for a channel; each raises UsageError where it is invalid."""

from __future__ import annotations

from collections.abc import Mapping

from wscli.errors import UsageError
from wscli.history.memory import History
from wscli.history.records import Position, Start
from wscli.values import parse_duration

__all__ = ["read_count", "read_cursor", "read_flag", "read_seconds", "read_start"]

_DIGITS = 15


def read_start(history: History, query: Mapping[str, str]) -> Start | None:
    """Seek as ``last=N`` or ``after=CURSOR`` says; None without either."""
    if "last" in query and "after" in query:
        raise UsageError("'last' and 'after' exclude each other", "give one of them")
    if "after" in query:
        return history.seek_after(read_cursor("after", query["after"]))
    return history.seek_last(read_count("last", query["last"])) if "last" in query else None


def read_cursor(name: str, text: str) -> Position:
    """Read a cursor."""
    try:
        return Position.parse(text)
    except ValueError:
        hint = f"{name} must be a cursor: a record's epoch and seq, such as k3f9:17"
        raise UsageError(f"invalid {name}: {text[:60]!r}", hint) from None


def read_count(name: str, text: str) -> int:
    """Read a number of messages."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        raise UsageError(f"invalid {name}: {text[:40]!r}", f"{name} must be a number of messages, such as 100")
    return int(text)


def read_seconds(name: str, text: str) -> float:
    """Read a duration, in seconds."""
    try:
        return parse_duration(text)
    except ValueError:
        raise UsageError(f"invalid {name}: {text[:40]!r}", f"{name} must be a duration, such as 30s") from None


def read_flag(name: str, text: str) -> bool:
    """Read 0 or 1."""
    if text not in ("0", "1"):
        raise UsageError(f"invalid {name}: {text[:40]!r}", f"{name} must be 0 or 1")
    return text == "1"
