"""One line of what ``tail --json`` writes: a message or a gap. Keys that are not known here are ignored."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from typing import Any, NamedTuple

__all__ = ["Gap", "Message", "NoJson", "NoRecord", "read_record"]

_LATEST = 1e12
"""Seconds since the epoch, beyond which nothing is a time."""
_QUOTED = 60


class Message(NamedTuple):
    """A message as it came."""

    channel: str
    ts: float
    """Seconds since the epoch."""
    payload: bytes
    binary: bool


class Gap(NamedTuple):
    """Messages may be missing here."""

    channel: str
    reason: str


class NoRecord(ValueError):
    """The line is no record; the sentence says why."""


class NoJson(NoRecord):
    """The line is not even JSON, or not all of it."""


def read_record(line: bytes) -> Message | Gap:
    """Read a line.

    Raises:
        NoRecord: it is none.

    """
    try:
        value = json.loads(line.decode())
    except (ValueError, RecursionError):
        raise NoJson(f"{_beginning(line)} is not JSON") from None
    if not isinstance(value, dict):
        raise NoRecord(f"{_beginning(line)} is no record of `tail --json`")
    kind, channel = value.get("type"), _text(value, "channel", line)
    if kind == "gap":
        return Gap(channel, _text(value, "reason", line))
    if kind not in ("text", "binary"):
        raise _lacks("'type' of text, binary or gap", line)
    ts = value.get("ts")
    if not isinstance(ts, (int, float)) or isinstance(ts, bool) or not 0 <= ts < _LATEST:
        raise _lacks("'ts' in seconds", line)
    data = _text(value, "data", line)
    return Message(channel, ts, _payload(value, data, line), kind == "binary")


def _payload(value: dict[str, Any], data: str, line: bytes) -> bytes:
    if value["type"] == "text":
        try:
            return data.encode()
        except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write and UTF-8 cannot
            raise _lacks("'data' that can be sent as text", line) from None
    if value.get("encoding") != "base64":
        raise _lacks("'encoding' of base64", line)
    try:
        return b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise _lacks("'data' in base64", line) from None


def _text(value: dict[str, Any], key: str, line: bytes) -> str:
    text = value.get(key)
    if not isinstance(text, str) or (not text and key != "data"):
        raise _lacks(f"{key!r}", line)
    return text


def _lacks(what: str, line: bytes) -> NoRecord:
    return NoRecord(f"{_beginning(line)} is no record of `tail --json`: it has no {what}")


def _beginning(line: bytes) -> str:
    text = line[: _QUOTED * 4].decode(errors="replace").rstrip("\r\n")
    return repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}...")
