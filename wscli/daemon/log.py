"""One structured log: text on stderr for people, JSON records in the manager's own history for ``wscli logs``."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import time
from typing import TextIO

from wscli.control.escape import escape
from wscli.history.memory import MemoryHistory

__all__ = ["HistoryHandler", "TextFormatter", "capture", "release"]

_QUIET = ("asyncio", "aiohttp", "websockets", "picows")
"""Libraries whose DEBUG and INFO records may hold tokens; they are never enabled."""


class TextFormatter(logging.Formatter):
    """``2026-11-23 10:00:00 warning notifications: not connected for 5s: ...``, remote text escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Make one line, and a traceback below it where there is one."""
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        line = f"{at} {record.levelname.lower()} {escape(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class HistoryHandler(logging.Handler):
    """Appends each record to a history, as one JSON object, in the thread of the loop that it was made in."""

    def __init__(self, history: MemoryHistory) -> None:
        super().__init__()
        self._history = history
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._traceback = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record; one that cannot be made harms nobody but itself."""
        try:
            self._append(self._line(record))
        except Exception:  # whatever a record holds, as every handler of logging does
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> bytes:
        entry = {
            "ts": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "channel": getattr(record, "channel", None),
            "event": getattr(record, "event", None),
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self._traceback.formatException(record.exc_info)
        return json.dumps(entry, separators=(",", ":")).encode()

    def _append(self, line: bytes) -> None:
        if threading.get_ident() == self._thread:
            self._history.append([line], None)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._history.append, [line], None)


def capture(history: MemoryHistory, stream: TextIO | None = None) -> list[logging.Handler]:
    """Send the records of wscli, and the warnings of libraries, to a history and a stream (stderr).

    Returns the handlers, for ``release``.
    """
    to_stream = logging.StreamHandler(stream or sys.stderr)
    to_stream.setFormatter(TextFormatter())
    handlers: list[logging.Handler] = [to_stream, HistoryHandler(history)]
    for handler in handlers:
        logging.getLogger().addHandler(handler)
    logging.getLogger("wscli").setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return handlers


def release(handlers: list[logging.Handler]) -> None:
    """Undo ``capture``."""
    for handler in handlers:
        logging.getLogger().removeHandler(handler)
        handler.close()
