"""A file of records, checked as a whole first and then read line by line for each client; it is never held in memory.

Lines appended later are not read. A file that is replaced or deleted is still read as it was.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

from wscli.errors import UsageError, WscliError
from wscli.mock.records import InvalidJson, InvalidRecord, RecordedGap, RecordedMessage, read_record

__all__ = ["ChannelSummary", "Gauge", "LocatedRecord", "Recording", "open_records"]

_BUFFER = 64 << 10
_LONGEST_LINE = 256 << 20
_HINT = "`wscli tail CHANNEL --json` writes what can be replayed"


class Gauge:
    """Measures the seconds from one message to the next: 0 where the wall clock stepped back."""

    def __init__(self) -> None:
        self._last: float | None = None

    def passed(self, ts: float) -> float:
        """Give the seconds since the previous message; 0 for the first one."""
        last, self._last = self._last, ts
        return 0.0 if last is None else max(0.0, ts - last)


@dataclass(slots=True)
class ChannelSummary:
    """How much a recording has of a channel."""

    messages: int = 0
    span: float = 0.0
    """Seconds from its first message to its last; steps back of the clock do not count."""
    _gauge: Gauge = field(default_factory=Gauge, repr=False)

    def count(self, ts: float) -> None:
        """Count a message with this time."""
        self.messages += 1
        self.span += self._gauge.passed(ts)

    @property
    def pause(self) -> float:
        """Seconds before its first message in a loop: the average between two messages, or 1."""
        return self.span / (self.messages - 1) if self.span else 1.0


class LocatedRecord(NamedTuple):
    """A record, and the place in the file where the next one starts."""

    record: RecordedMessage | RecordedGap
    end: int


def open_records(path: str) -> BinaryIO:
    """Open a file of records, or stdin for ``-``; a stream is copied to a temporary file first.

    Raises:
        UsageError: it cannot be opened.
    """
    if path == "-":
        if sys.stdin is None:
            raise UsageError("stdin is closed", "give a file")
        return _copied(sys.stdin.fileno())
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - its caller closes it
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise UsageError(f"cannot read {path!r}: {reason}", _HINT) from None
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    with file:  # a pipe
        return _copied(file.fileno())


def _copied(descriptor: int) -> BinaryIO:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - its caller closes it
    try:
        while data := os.read(descriptor, _BUFFER):  # a buffered read would not stop at an interrupt
            copy.write(data)
        copy.flush()
    except BaseException:
        copy.close()
        raise
    return copy


class Recording:
    """The records of a file.

    Args:
        file: the open file; it is closed with this.
        name: its name in errors.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self.size = os.fstat(file.fileno()).st_size
        self.channels: dict[str, ChannelSummary] = {}
        """In the order of their first records; filled by ``check``."""
        self.gaps: Counter[str] = Counter()
        """Gaps by reason."""
        self.torn = False
        """Whether its last line is incomplete, as after a ``tail`` that was killed; that line is not replayed."""
        self._file = file
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._file.close()

    def check(self) -> None:
        """Read all of it.

        Raises:
            WscliError: a line is not a record, or there is no message.
        """
        for number, line in enumerate(self._lines(0, self.size), 1):
            try:
                record = _record(line)
            except InvalidRecord as error:
                if isinstance(error, InvalidJson) and not line.endswith(b"\n") and self.channels:
                    self.torn = True
                    break
                raise WscliError(f"{self.name}:{number}: {error}", _HINT) from None
            self._end += len(line)
            if record is None:
                continue
            played = self.channels.setdefault(record.channel, ChannelSummary())
            if isinstance(record, RecordedGap):
                self.gaps[record.reason] += 1
            else:
                played.count(record.ts)
        if not any(played.messages for played in self.channels.values()):
            raise WscliError(f"{self.name} holds no message", _HINT)

    def records(self, start: int = 0) -> Iterator[LocatedRecord]:
        """Read the checked records from ``start``: 0, or the ``end`` of an earlier record.

        Raises:
            WscliError: the file was changed after the check.
        """
        changed = WscliError(f"{self.name} was changed while it was replayed", "start the mock again")
        place = start
        try:
            for line in self._lines(start, self._end):
                place += len(line)
                if (record := _record(line)) is not None:
                    yield LocatedRecord(record, place)
        except (OSError, InvalidRecord):
            raise changed from None
        if place != self._end:  # it is shorter by now
            raise changed

    def _lines(self, start: int, end: int) -> Iterator[bytes]:
        reader = io.BufferedReader(_Part(self._file.fileno(), start, end), _BUFFER)
        while line := reader.readline(_LONGEST_LINE + 1):
            yield line


def _record(line: bytes) -> RecordedMessage | RecordedGap | None:
    """Read a line; None where it is blank."""
    if len(line) > _LONGEST_LINE:
        raise InvalidRecord(f"a line of over {_LONGEST_LINE >> 20} MiB is not a record of `tail --json`")
    return None if line.isspace() else read_record(line)


class _Part(io.RawIOBase):
    """A part of a file with a position of its own, so that several readers share one descriptor."""

    def __init__(self, descriptor: int, start: int, end: int) -> None:
        self._descriptor, self._place, self._end = descriptor, start, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        data = os.pread(self._descriptor, min(len(view), self._end - self._place), self._place)
        view[: len(data)] = data
        self._place += len(data)
        return len(data)
