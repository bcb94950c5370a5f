"""A stream's messages to stdout, raw or escaped for a terminal, and its notices to stderr."""

import time
from collections.abc import Callable
from typing import Any

from wscli.control.frames import json_body
from wscli.control.output import Output
from wscli.control.stream import StreamSink
from wscli.control.text import escape

__all__ = ["CopySink", "gap_text", "shown_json", "shown_text"]

_EVERY = 1.0  # seconds between two notices of messages that are left out


def shown_text(body: memoryview) -> bytes:
    """Make messages fit for a terminal: control characters, but for tabs and separators, are shown as escapes."""
    return escape(str(body, "utf-8", "backslashreplace"), keep="\n\t\0").encode()


def shown_json(body: memoryview) -> bytes:
    """Make JSON records fit for a terminal, as the same JSON: what JSON lets stand is written as ``\\u009b``."""
    lines = str(body, "utf-8", "backslashreplace").split("\n")
    return "\n".join(line if line.isprintable() else "".join(map(_json_escape, line)) for line in lines).encode()


def _json_escape(one: str) -> str:
    return one if one.isprintable() or escape(one) == one else f"\\u{ord(one):04x}"


def gap_text(record: dict[str, Any]) -> str:
    """Describe a gap."""
    channel, after, missed, reason = (record.get(key) for key in ("channel", "after", "missed", "reason"))
    begin, end = record.get("start"), record.get("end")
    lasted = f" for {end - begin:.1f} s" if isinstance(begin, float) and isinstance(end, float) else ""
    count = "messages" if missed is None else "1 message" if missed == 1 else f"{missed} messages"
    risk = (
        _filled(record["backfilled"], after) if "backfilled" in record else f"; messages after {after} may be missing"
    )
    said = {
        "outage": f"not connected{lasted}{risk}",
        "paused": f"paused{lasted}{risk}",
        "lagged": f"this reader fell behind and missed {count} after {after}",
        "truncated": f"no longer kept: {count} after {after}",
        "disk": f"the disk did not keep {count} after {after}",
        "skipped": f"the server's numbers skipped {count} after {after}",
        "declared": f"the server says that messages after {after} are missing",
        "reset": "the cursor is of another numbering; messages between may be missing",
    }.get(str(reason), f"{reason}; may be missing: {count} after {after}")
    if reason == "truncated" and missed is None:
        said = f"no longer kept: messages up to {after}"
    return f"gap: {channel}: {said}"


def _filled(count: int, after: object) -> str:
    """Describe a filled gap."""
    if count == 0:
        return f" after {after}; the server was asked, and nothing was missed"
    if count == 1:
        return f" after {after}; 1 missed message was asked for, and follows"
    return f" after {after}; {count} missed messages were asked for, and follow"


class CopySink(StreamSink):
    """Copies messages to an output as they come, and tells of everything else by ``note``, a line each.

    With ``records``, gaps are records among the messages. ``show`` makes bytes fit for a terminal.
    """

    def __init__(
        self,
        output: Output,
        note: Callable[[str], None],
        *,
        records: bool = False,
        show: Callable[[memoryview], bytes] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._output = output
        self._note = note
        self._records = records
        self._show = show
        self._clock = clock
        self._skipped = self._skipped_bytes = 0
        self._noted_at = -_EVERY

    def data(self, channel: str, body: memoryview) -> bool:
        """Copy messages."""
        self.write(body)
        return False

    def gap(self, record: dict[str, Any]) -> bool:
        """Print a gap as a record, or tell of it."""
        if self._records:
            self.write(memoryview(json_body(record) + b"\n"))
        else:
            self._note(gap_text(record))
        return False

    def state(self, record: dict[str, Any]) -> None:
        """Tell that a channel is down, why, and that it is ready again."""
        self._note(f"{record.get('channel')}: {record.get('text')}")

    def notice(self, record: dict[str, Any]) -> None:
        """Tell of binary messages that are left out: at once, then once a second at most."""
        self._skipped += int(record.get("binary", 0))
        self._skipped_bytes += int(record.get("bytes", 0))
        if self._clock() - self._noted_at >= _EVERY:
            self._tell_skipped()

    def close(self) -> None:
        """Write the last notice."""
        self._tell_skipped()

    def write(self, body: memoryview) -> None:
        """Write bytes of whole messages."""
        self._output.write(body if self._show is None else self._show(body))

    def _tell_skipped(self) -> None:
        if self._skipped:
            messages = "1 binary message" if self._skipped == 1 else f"{self._skipped} binary messages"
            self._note(f"{messages} not printed, {self._skipped_bytes} bytes; --json or -0 prints them")
            self._skipped = self._skipped_bytes = 0
            self._noted_at = self._clock()
