"""LineSplitter of a terminal or a pipe as messages, and messages on stdout."""

from __future__ import annotations

import os
import sys

from wscli.cli.printing import note
from wscli.control.output import Output
from wscli.control.sinks import CopySink, shown_text
from wscli.errors import WscliError

__all__ = ["CHUNK", "LineSplitter", "printed"]

CHUNK = 1 << 16
LINE_LIMIT = 1 << 20
"""Bytes of a line, which is one message."""


class LineSplitter:
    """Bytes in, whole lines out; the last one needs no newline."""

    def __init__(self) -> None:
        self._rest = b""

    def split(self, data: bytes) -> list[bytes]:
        """Give the lines that ``data`` completes; no data is the end, and completes what is left.

        Raises:
            WscliError: a line is too long.

        """
        if not data:
            rest, self._rest = self._rest, b""
            return [rest] if rest else []
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LINE_LIMIT:
            raise WscliError(f"a line is over {LINE_LIMIT >> 20} MiB", "`wscli send --whole` sends large messages")
        return lines


def printed() -> tuple[Output, CopySink]:
    """Give stdout, and what prints messages on it: exact bytes to a pipe, escaped on a terminal."""
    output = Output(sys.stdout.fileno())
    return output, CopySink(output, note, show=shown_text if os.isatty(sys.stdout.fileno()) else None)
