"""The values in the query of a request for a channel; each raises UsageError where it is invalid."""

from __future__ import annotations

from wscli.errors import UsageError
from wscli.values import parse_duration

__all__ = ["read_count", "read_flag", "read_seconds"]

_DIGITS = 15


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
    """Read 0 or 1; a name without a value is 1."""
    if text not in ("", "0", "1"):
        raise UsageError(f"invalid {name}: {text[:40]!r}", f"{name} must be 0 or 1")
    return text != "0"
