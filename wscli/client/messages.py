"""What a tail gives: messages and gaps, as ``tail --json`` has them."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, NamedTuple

from wscli.control.frames import FrameError

__all__ = ["Gap", "Message", "parse_gap", "parse_message", "message_in", "record_of"]


class Message(NamedTuple):
    """One message of a channel."""

    channel: str
    epoch: str
    """The numbering that ``seq`` belongs to."""
    seq: int
    ts: float
    """When it arrived at the manager: seconds since the epoch, by the wall clock."""
    data: str | bytes
    """Text, or bytes where the message is binary."""
    backfill: bool = False
    """Whether it was asked for after a gap, and did not come over the channel."""

    @property
    def cursor(self) -> str:
        """Its place in the channel, such as ``k3f9:17``: what ``tail(after=...)`` takes."""
        return f"{self.epoch}:{self.seq}"

    def json(self) -> Any:
        """Parse the data.

        Raises:
            ValueError: it is not JSON.
        """
        return json.loads(self.data)


class Gap(NamedTuple):
    """Messages may be, or are, missing after a number."""

    channel: str
    after: int
    """The number of the message before it."""
    reason: str
    """``outage``, ``paused``, ``lagged``, ``truncated``, ``reset``, ``disk``, ``skipped`` or ``declared``."""
    start: float | None
    """When it began and ended: seconds since the epoch; None where that is not known."""
    end: float | None
    missed: int | None
    """How many messages; None if unknown."""
    backfilled: int | None = None
    """How many messages were asked for, follow it and fill it; None where it was not filled, or not wholly by then."""


def parse_message(line: str) -> Message:
    """Read a message's record.

    Raises:
        FrameError: it is invalid.
    """
    try:
        return message_in(json.loads(line))
    except ValueError:
        raise _invalid_record() from None


def message_in(record: Mapping[str, Any]) -> Message:
    """Read a message's record.

    Raises:
        FrameError: it is invalid.
    """
    try:
        data = record["data"] if record["type"] == "text" else b64decode(record["data"])
        backfill = record.get("backfill", False)
        return Message(record["channel"], record["epoch"], record["seq"], record["ts"], data, backfill)
    except (ValueError, LookupError, TypeError):
        raise _invalid_record() from None


def _invalid_record() -> FrameError:
    return FrameError("the manager sent an invalid record", "`wscli ls --json` shows its version")


def record_of(message: Message) -> dict[str, Any]:
    """Make the record that a message was read from."""
    head = {"channel": message.channel, "epoch": message.epoch, "seq": message.seq, "ts": message.ts}
    if message.backfill:
        head["backfill"] = True
    if isinstance(message.data, str):
        return {**head, "type": "text", "data": message.data}
    return {**head, "type": "binary", "encoding": "base64", "data": b64encode(message.data).decode()}


def parse_gap(record: Mapping[str, Any]) -> Gap:
    """Read a gap's record.

    Raises:
        FrameError: it is invalid.
    """
    try:
        needed = [record[name] for name in Gap._fields[:-1]]
        return Gap(*needed)._replace(backfilled=record.get("backfilled"))
    except LookupError:
        raise FrameError("the manager sent an invalid gap", "`wscli ls --json` shows its version") from None
