"""One structured log: text or JSON on stderr, JSON records in the manager's own history for ``wscli logs``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from wscli.control.escape import escape
from wscli.history.memory import History

__all__ = ["Format", "HistoryHandler", "RotatingLog", "capture", "is_journal", "release"]

logger = logging.getLogger("wscli.manager")

Format = Literal["text", "json"]
ROTATE_AT = 8 << 20
"""Bytes of a log that nothing is added to any more."""
KEPT = 3
"""How many full logs stand beside the present one: NAME.log.1 is the newest of them."""

if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    _StreamHandler = logging.StreamHandler  # generic to type checkers only, until Python 3.14

_QUIET = ("asyncio", "aiohttp", "websockets", "picows")
"""Libraries whose DEBUG and INFO records may hold tokens; they are never enabled."""


class TextFormatter(logging.Formatter):
    """``2026-11-23 10:00:00 warning notifications: not connected for 5s: ...``, remote text escaped."""

    def __init__(self, *, dated: bool = True) -> None:
        super().__init__()
        self._dated = dated

    def format(self, record: logging.LogRecord) -> str:
        """Make one line, and a traceback below it where there is one."""
        at = time.strftime("%Y-%m-%d %H:%M:%S ", time.localtime(record.created)) if self._dated else ""
        line = f"{at}{record.levelname.lower()} {escape(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line, of the keys that ``wscli logs --json`` prints."""

    def format(self, record: logging.LogRecord) -> str:
        """Make one line, of ASCII alone."""
        entry = {
            "ts": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "channel": getattr(record, "channel", None),
            "event": getattr(record, "event", None),
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, separators=(",", ":"))


class JournalFormatter(logging.Formatter):
    """Puts ``<N>``, the level of sd-daemon(3), before each line: the journal takes each for an entry of its own."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Make the lines."""
        prefix = next(prefix for level, prefix in _SYSLOG if record.levelno >= level)
        return "\n".join(prefix + line for line in self._inner.format(record).splitlines())


_SYSLOG = (
    (logging.CRITICAL, "<2>"),
    (logging.ERROR, "<3>"),
    (logging.WARNING, "<4>"),
    (logging.INFO, "<6>"),
    (logging.NOTSET, "<7>"),
)


class HistoryHandler(logging.Handler):
    """Appends each record to a history, as one JSON object, in the thread of the loop that it was made in."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self._history = history
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record; one that cannot be made harms nobody but itself."""
        try:
            self._append(self.format(record).encode())
        except Exception:  # whatever a record holds, as every handler of logging does
            self.handleError(record)

    def _append(self, line: bytes) -> None:
        if threading.get_ident() == self._thread:
            self._history.append([line], None)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._history.append, [line], None)


class RotatingLog:
    """The file that stdout and stderr of a detached manager go into, put aside when it is full.

    The descriptors themselves are pointed to the new file, so that whatever is written to them goes there. Where that
    fails, they stay as they are, and it is tried again after as much again.

    Args:
        path: the file; older ones stand beside it as ``.1``, ``.2``...
        descriptors: those that go into it; the last is the one that is looked at.
        limit: bytes at which it is full.

    """

    def __init__(self, path: Path, *, descriptors: Sequence[int] = (1, 2), limit: int = ROTATE_AT) -> None:
        self._path = path
        self._descriptors = descriptors
        self._limit = self._step = limit

    def rotate(self) -> OSError | None:
        """Put the file aside if it is full; give what went wrong."""
        try:
            facts = os.fstat(self._descriptors[-1])
            if facts.st_size < self._limit:
                return None
            self._renew(facts)
        except OSError as error:
            self._limit += self._step
            return error
        self._limit = self._step
        return None

    def _renew(self, full: os.stat_result) -> None:
        new = self._path.with_name(f"{self._path.name}.new")
        new.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(new, flags, 0o600)
        try:
            with contextlib.suppress(FileNotFoundError):  # somebody removed it, or put another there
                if os.path.samestat(self._path.stat(), full):
                    self._put_aside()
            new.replace(self._path)
            for number in self._descriptors:
                if os.path.samestat(os.fstat(number), full):
                    os.dup2(descriptor, number)
        finally:
            os.close(descriptor)

    def _put_aside(self) -> None:
        for number in range(KEPT, 1, -1):
            with contextlib.suppress(FileNotFoundError):
                self._numbered(number - 1).replace(self._numbered(number))
        self._path.replace(self._numbered(1))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class StderrHandler(_StreamHandler):
    """Writes each record to a stream, whose file it rotates."""

    def __init__(self, stream: TextIO, file: RotatingLog | None) -> None:
        super().__init__(stream)
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, into a file that is not full."""
        file, self._file = self._file, None  # what is logged meanwhile rotates nothing
        if file is not None and (error := file.rotate()) is not None:
            reason = (error.strerror or str(error)).lower()
            logger.warning("the log cannot be put aside: %s", reason, extra={"event": "not-rotated"})
        self._file = file
        super().emit(record)


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Say whether a stream leads to the journal: JOURNAL_STREAM is its device and inode then, systemd.exec(5)."""
    try:
        facts = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):  # closed, no file, or no stream at all
        return False
    return environ.get("JOURNAL_STREAM") == f"{facts.st_dev}:{facts.st_ino}"


def capture(
    history: History,
    stream: TextIO | None = None,
    *,
    form: Format = "text",
    file: RotatingLog | None = None,
    environ: Mapping[str, str] = os.environ,
) -> list[logging.Handler]:
    """Send the records of wscli, and the warnings of libraries, to a history and a stream (stderr).

    Args:
        history: takes them as JSON.
        stream: takes them as ``form`` says; each line with its level where it is the journal's.
        form: ``text`` or ``json``.
        file: what the stream goes into, if it is to be rotated.
        environ: says where the journal is.

    Returns the handlers, for ``release``.

    """
    stream = stream or sys.stderr
    journal = is_journal(stream, environ)
    formatter = JsonFormatter() if form == "json" else TextFormatter(dated=not journal)  # the journal dates entries
    to_stream = StderrHandler(stream, file)
    to_stream.setFormatter(JournalFormatter(formatter) if journal else formatter)
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
