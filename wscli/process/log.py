"""The manager's log: text or JSON on stderr, and JSON records in a history for ``wscli logs``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TextIO

from wscli.control.requests import LogLevel
from wscli.control.text import escape
from wscli.history.memory import History

__all__ = ["Format", "HistoryHandler", "RotatingLog", "capture", "is_journal"]

logger = logging.getLogger("wscli.manager")

Format = Literal["text", "json"]
ROTATE_AT = 8 << 20
"""Bytes at which a log file is rotated."""
KEPT = 3
"""Rotated files that are kept: NAME.log.1 is the newest."""

_QUIET = ("asyncio", "aiohttp", "websockets", "picows")
"""Libraries whose DEBUG and INFO records, which may hold tokens, are never enabled."""


class TextFormatter(logging.Formatter):
    """Writes ``2026-11-23 10:00:00 warning notifications: not connected for 5s: ...``, escaped."""

    def __init__(self, *, dated: bool = True) -> None:
        super().__init__()
        self._dated = dated

    def format(self, record: logging.LogRecord) -> str:
        """Make one line, followed by the traceback if there is one."""
        at = time.strftime("%Y-%m-%d %H:%M:%S ", time.localtime(record.created)) if self._dated else ""
        line = f"{at}{record.levelname.lower()} {escape(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """Writes one JSON object a line, with the keys of ``wscli logs --json``."""

    def format(self, record: logging.LogRecord) -> str:
        """Make one line of ASCII."""
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
    """Writes ``<N>``, the level of sd-daemon(3), before each line, which is an entry of its own in the journal."""

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
    """Appends each record to a history as one JSON object, on the loop that it was made in."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self._history = history
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record."""
        try:
            lines = [self.format(record).encode()]
            if threading.get_ident() == self._thread:
                self._history.append(lines, None)
            elif not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._history.append, lines, None)
        except Exception:  # as the handlers of logging do
            self.handleError(record)


class RotatingLog:
    """The file of a detached manager's stdout and stderr, rotated when it is full.

    The descriptors are redirected to the new file, so that everything written to them follows. After a failure they
    stay as they are, and the next try comes after another ``limit`` bytes.

    Args:
        path: the file; older ones are beside it as ``.1``, ``.2``...
        descriptors: those that write to it; the size of the last is watched.
        limit: bytes at which the file is full.
    """

    def __init__(self, path: Path, *, descriptors: Sequence[int] = (1, 2), limit: int = ROTATE_AT) -> None:
        self._path = path
        self._descriptors = descriptors
        self._limit = self._step = limit

    def rotate(self) -> OSError | None:
        """Rotate the file if it is full; give the error if that failed."""
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
            with contextlib.suppress(FileNotFoundError):  # removed or replaced by others
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


class StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]  # generic at run time since Python 3.14
    """Writes each record to a stream, and rotates the stream's file."""

    def __init__(self, stream: TextIO, file: RotatingLog | None) -> None:
        super().__init__(stream)
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, after rotating a full file."""
        file, self._file = self._file, None  # a record of this method must not rotate again
        if file is not None and (error := file.rotate()) is not None:
            reason = (error.strerror or str(error)).lower()
            logger.warning("cannot rotate the log: %s", reason, extra={"event": "not-rotated"})
        self._file = file
        super().emit(record)


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Say whether a stream is the journal's, by the device and inode in JOURNAL_STREAM (systemd.exec(5))."""
    try:
        facts = os.fstat(stream.fileno())
    except (OSError, ValueError, AttributeError):  # closed, without a file, or None
        return False
    return environ.get("JOURNAL_STREAM") == f"{facts.st_dev}:{facts.st_ino}"


@contextlib.contextmanager
def capture(
    histories: Mapping[LogLevel, History],
    stream: TextIO | None = None,
    *,
    form: Format = "text",
    level: LogLevel = "info",
    file: RotatingLog | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[None]:
    """Send the records of wscli and the warnings of libraries to histories and a stream while the context is open.

    Each history gets the records of its level and above as JSON, so that many of a low level displace none of a higher
    one. The stream (default: stderr) gets those of ``level`` and above as ``form`` says; lines to the journal, which
    ``environ`` names, begin with their level. ``file`` is the stream's file, if wscli rotates it.
    """
    stream = stream or sys.stderr
    journal = is_journal(stream, environ)
    formatter = JsonFormatter() if form == "json" else TextFormatter(dated=not journal)  # the journal dates entries
    to_stream = StderrHandler(stream, file)
    to_stream.setFormatter(JournalFormatter(formatter) if journal else formatter)
    handlers: list[tuple[LogLevel, logging.Handler]] = [(level, to_stream)]
    handlers += [(lowest, HistoryHandler(history)) for lowest, history in histories.items()]
    for lowest, handler in handlers:
        handler.setLevel(lowest.upper())
        logging.getLogger().addHandler(handler)
    logging.getLogger("wscli").setLevel(logging.DEBUG)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield
    finally:
        for _, handler in handlers:
            logging.getLogger().removeHandler(handler)
            handler.close()
