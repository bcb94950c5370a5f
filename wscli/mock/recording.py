"""A file of records that was checked whole, and is read again for each client, by the line: it is never held in memory.

Whatever is appended to the file later is not seen; a file that is replaced or deleted is still read as it was.
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
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Self

from wscli.errors import UsageError, WscliError
from wscli.mock.pace import Gauge
from wscli.mock.records import Gap, Message, NoJson, NoRecord, read_record

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Played", "Placed", "Recording", "open_records"]

_BUFFER = 64 << 10
_LONGEST_LINE = 256 << 20
_HINT = "`wscli tail CHANNEL --json` writes what can be replayed"


@dataclass(slots=True)
class Played:
    """What there is of a channel."""

    messages: int = 0
    span: float = 0.0
    """Seconds from its first message to its last, without steps back."""
    _gauge: Gauge = field(default_factory=Gauge, repr=False)

    def count(self, ts: float) -> None:
        """Count a message of this time."""
        self.messages += 1
        self.span += self._gauge.passed(ts)

    @property
    def pause(self) -> float:
        """Seconds to its first message when it begins again: what passes between two on average, or one second."""
        return self.span / (self.messages - 1) if self.span else 1.0


class Placed(NamedTuple):
    """A record, and where the next one begins."""

    record: Message | Gap
    end: int


def open_records(path: str) -> BinaryIO:
    """Open a file of records, or ``-``, stdin; what cannot be read twice is copied to a temporary file first.

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
    with file:  # a pipe, say
        return _copied(file.fileno())


def _copied(descriptor: int) -> BinaryIO:
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - its caller closes it
    try:
        while data := os.read(
            descriptor, _BUFFER
        ):  # a buffered read goes on through an interrupt that comes between two
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
        name: what errors call it.

    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self.size = os.fstat(file.fileno()).st_size
        self.channels: dict[str, Played] = {}
        """What it has, in the order of their first records; filled by ``check``."""
        self.gaps: Counter[str] = Counter()
        """How many there are of each reason."""
        self.torn = False
        """Whether its last line is not whole, as that of a ``tail`` that was killed, and is left out."""
        self._file = file
        self._end = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._file.close()

    def check(self) -> None:
        """Read all of it.

        Raises:
            WscliError: a line is no record, or there is no message.

        """
        for number, line in enumerate(self._lines(0, self.size), 1):
            try:
                record = _record(line)
            except NoRecord as error:
                if isinstance(error, NoJson) and not line.endswith(b"\n") and self.channels:
                    self.torn = True
                    break
                raise WscliError(f"{self.name}:{number}: {error}", _HINT) from None
            self._end += len(line)
            if record is not None:
                self._count(record)
        if not any(played.messages for played in self.channels.values()):
            raise WscliError(f"{self.name} holds no message", _HINT)

    def _count(self, record: Message | Gap) -> None:
        played = self.channels.setdefault(record.channel, Played())
        if isinstance(record, Gap):
            self.gaps[record.reason] += 1
        else:
            played.count(record.ts)

    def records(self, start: int = 0) -> Iterator[Placed]:
        """Read what was checked, from a place that an earlier record gave.

        Raises:
            WscliError: it is not what it was.

        """
        changed = WscliError(f"{self.name} was changed while it was replayed", "start the mock again")
        place = start
        try:
            for line in self._lines(start, self._end):
                place += len(line)
                record = _record(line)
                if record is not None:
                    yield Placed(record, place)
        except (OSError, NoRecord):
            raise changed from None
        if place != self._end:  # it is shorter by now
            raise changed

    def _lines(self, start: int, end: int) -> Iterator[bytes]:
        reader = io.BufferedReader(_Part(self._file.fileno(), start, end), _BUFFER)
        while line := reader.readline(_LONGEST_LINE + 1):
            yield line


def _record(line: bytes) -> Message | Gap | None:
    """Read a line; None: it is blank."""
    if len(line) > _LONGEST_LINE:
        raise NoRecord(f"a line of over {_LONGEST_LINE >> 20} MiB is no record of `tail --json`")
    return None if line.isspace() else read_record(line)


class _Part(io.RawIOBase):
    """A part of a file, at a place of its own: any number of them read one descriptor."""

    def __init__(self, descriptor: int, start: int, end: int) -> None:
        self._descriptor, self._place, self._end = descriptor, start, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = os.pread(self._descriptor, min(len(view), self._end - self._place), self._place)
        view[: len(data)] = data
        self._place += len(data)
        return len(data)
