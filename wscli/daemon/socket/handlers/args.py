"""The arguments of a request, checked: a client may send anything."""

from __future__ import annotations

from typing import Any

from wscli.control.protocol import ProtocolError

__all__ = ["flag", "names", "number", "optional_count", "text"]


def _wrong(key: str, wanted: str) -> ProtocolError:
    return ProtocolError(f"argument {key!r} is no {wanted}", "the commands of wscli send the right ones")


def names(args: dict[str, Any], key: str = "channels", *, required: bool = False) -> list[str]:
    """Give a list of names, empty where there is none."""
    value = args.get(key, [])
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value) or (required and not value):
        raise _wrong(key, "list of names")
    return value


def text(args: dict[str, Any], key: str) -> str:
    """Give a text that must be there."""
    value = args.get(key)
    if not isinstance(value, str):
        raise _wrong(key, "text")
    return value


def flag(args: dict[str, Any], key: str) -> bool:
    """Give a flag, false where there is none."""
    value = args.get(key, False)
    if not isinstance(value, bool):
        raise _wrong(key, "flag")
    return value


def number(args: dict[str, Any], key: str, default: float) -> float:
    """Give a finite number, zero at least."""
    value = args.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e9:
        raise _wrong(key, "number")
    return float(value)


def optional_count(args: dict[str, Any], key: str) -> int | None:
    """Give a whole number, zero at least, or None."""
    value = args.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 53:
        raise _wrong(key, "whole number")
    return value
