"""One line of the output of ``tail --json``: a message or a gap. Unknown keys are ignored."""

from __future__ import annotations

import binascii
import json
from base64 import b64decode
from typing import Any, NamedTuple

__all__ = ["RecordedGap", "RecordedMessage", "InvalidJson", "InvalidRecord", "read_record"]

_LATEST = 1e12
"""The largest accepted time, in seconds since the epoch."""
_QUOTED = 60


class RecordedMessage(NamedTuple):
    """A message of a channel."""

    channel: str
    ts: float
    """Seconds since the epoch."""
    payload: bytes
    binary: bool


class RecordedGap(NamedTuple):
    """A place where messages may be missing."""

    channel: str
    reason: str


class InvalidRecord(ValueError):
    """The line is not a record; the message says why."""


class InvalidJson(InvalidRecord):
    """The line is not JSON, or only a part of a JSON text."""


def read_record(line: bytes) -> RecordedMessage | RecordedGap:
    """Read a line.

    Raises:
        InvalidRecord: the line is not a record.
    """
    try:
        value = json.loads(line.decode())
    except (ValueError, RecursionError):
        raise InvalidJson(f"{_beginning(line)} is not JSON") from None
    if not isinstance(value, dict):
        raise InvalidRecord(f"{_beginning(line)} is not a record of `tail --json`")
    kind, channel = value.get("type"), _text(value, "channel", line)
    if kind == "gap":
        return RecordedGap(channel, _text(value, "reason", line))
    if kind not in ("text", "binary"):
        raise _lacks("'type' of text, binary or gap", line)
    ts = value.get("ts")
    if not isinstance(ts, (int, float)) or isinstance(ts, bool) or not 0 <= ts < _LATEST:
        raise _lacks("'ts' in seconds", line)
    data = _text(value, "data", line)
    return RecordedMessage(channel, ts, _payload(value, data, line), kind == "binary")


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


def _lacks(what: str, line: bytes) -> InvalidRecord:
    return InvalidRecord(f"{_beginning(line)} is not a record of `tail --json`: it has no {what}")


def _beginning(line: bytes) -> str:
    text = line[: _QUOTED * 4].decode(errors="replace").rstrip("\r\n")
    return repr(text if len(text) <= _QUOTED else f"{text[:_QUOTED]}...")
