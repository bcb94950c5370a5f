"""A file that was cut off or changed: it opens or is refused in words, and nothing wrong is ever served as right."""

from __future__ import annotations

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.examples import EXAMPLES
from wscli.database.opening import DatabaseError
from wscli.history.gaps import Gaps
from wscli.history.limits import HistoryLimits
from wscli.history.log import ConsumerPosition, WriteBatch
from wscli.history.records import Batch, Cursor, GapRecord
from wscli.history.sqlite.file import LogFile
from wscli.history.sqlite.reader import LogReader

MESSAGES = 400
LIMITS = HistoryLimits(store="disk", sync="normal")
GAPS = {(10 * number, "outage") for number in range(1, 11)}
FLIPS = EXAMPLES
STEP = 16


def payload(number: int) -> bytes:
    return b"message %d " % number * (1 + number % 9)


def write(path: Path, *, clean: bool) -> None:
    """Make a file of numbered messages, gaps and a consumer; one that is not clean keeps its log beside it."""
    file = LogFile(path, LIMITS)
    gaps, end = Gaps(), 0
    for first in range(1, MESSAGES + 1, 10):
        payloads = [payload(number) for number in range(first, first + 10)]
        batch = Batch(first, 1.0, payloads, None, epoch=file.state.epoch, offset=end)
        end += batch.size
        numbered = [gaps.add(GapRecord(batch.last, "outage", 1.0, 2.0))] if batch.last <= 100 else []
        position = ConsumerPosition(Cursor(batch.last, len(GAPS), batch.epoch), 1.0)
        file.write(WriteBatch([batch], numbered, {"billing": position}), 1.0)
    kept = () if clean else ("", "-wal")
    for suffix in kept:
        shutil.copy(f"{path}{suffix}", f"{path}.copy{suffix}")
    file.close(WriteBatch(), 1.0)
    for suffix in kept:
        shutil.move(f"{path}.copy{suffix}", f"{path}{suffix}")


def read_everything(path: Path) -> int:
    """Read a file as a manager does; give how many messages it served."""
    file = LogFile(path, LIMITS)
    reader = LogReader(path, file.state.epoch)
    try:
        assert {(gap.after, gap.reason) for _, gap in file.state.gaps} <= GAPS
        assert set(file.state.consumers) <= {"billing"}
        number, last, served = 1, file.committed.last, 0
        while number <= last:
            items = reader.read(number, last).items
            assert items, "whoever reads there would wait for ever"
            for item in items:
                if isinstance(item, Batch):
                    assert item.first == number
                    assert item.payloads == [payload(one) for one in range(item.first, item.last + 1)]
                    number, served = item.last + 1, served + len(item)
                else:
                    assert (item.after, item.reason) == (number - 1, "disk")
                    assert item.missed
                    number += item.missed
        return served
    finally:
        reader.close()
        file._database.close()


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory in memory, where there is one: thousands of files are opened here."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        yield Path(directory)


def served_of(place: Path, database: bytes, log: bytes = b"") -> int | None:
    """Open damaged bytes as a file; None: they were refused in words."""
    path = place / "damaged.db"
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    path.write_bytes(database)
    if log:
        Path(f"{path}-wal").write_bytes(log)
    try:
        return read_everything(path)
    except DatabaseError as error:
        refusal = error
    assert str(path) in refusal.message
    assert refusal.hint
    return None


def lengths(first: int, last: int) -> list[int]:
    """Every 16th length, and those next to both ends, where a page and the header of a frame of the log end."""
    return sorted({*range(first, last + 1, STEP), *range(first, first + 32), *range(last - 3, last + 1)})


def test_a_file_cut_off_in_its_last_page_is_refused_or_served_right(place: Path) -> None:
    write(place / "whole.db", clean=True)
    whole = (place / "whole.db").read_bytes()
    served = {served_of(place, whole[:length]) for length in lengths(len(whole) - 4096, len(whole) - 1)}
    assert served, "each was served or refused, and nothing of it was wrong"
    assert served_of(place, b"") == 0, "an empty file is a new one"


def test_a_write_ahead_log_that_is_cut_off_loses_only_its_end(place: Path) -> None:
    write(place / "whole.db", clean=False)
    whole, log = (place / "whole.db").read_bytes(), (place / "whole.db-wal").read_bytes()
    before: int | None = 0
    for length in lengths(len(log) - (4096 + 24), len(log)):
        served = served_of(place, whole, log[:length])
        assert served is not None
        assert before is not None
        assert served >= before
        before = served
    assert before == MESSAGES


@pytest.mark.timeout(900)
@pytest.mark.parametrize("clean", [True, False])
def test_flipped_bits_are_never_served(place: Path, clean: bool) -> None:
    chance = random.Random(7)
    write(place / "whole.db", clean=clean)
    whole = bytearray((place / "whole.db").read_bytes())
    log = bytearray() if clean else bytearray((place / "whole.db-wal").read_bytes())
    outcomes = {"refused": 0, "whole": 0, "less": 0}
    for _ in range(FLIPS // 2):
        victim = whole if clean else log
        at, bit = chance.randrange(len(victim)), 1 << chance.randrange(8)
        victim[at] ^= bit
        served = served_of(place, bytes(whole), bytes(log))
        outcomes["refused" if served is None else "whole" if served == MESSAGES else "less"] += 1
        victim[at] ^= bit
    assert outcomes["less"]
    assert outcomes["refused"] or not clean


@pytest.mark.parametrize(
    "change", ["first = 'i$'", "offset = 'i$'", "horizon = 'i$'", "data = replace(data, 'message 5 ', 'message 7 ')"]
)
def test_a_record_changed_by_another_program_is_a_gap_and_holds_up_neither_reading_nor_writing(
    place: Path, change: str
) -> None:
    path = place / "one.db"
    write(path, clean=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"UPDATE batches SET {change} WHERE last = 10")
    assert read_everything(path) == MESSAGES - 10
    file = LogFile(path, HistoryLimits(store="disk", sync="normal", keep=100))
    newest = Batch(MESSAGES + 1, 1.0, [payload(MESSAGES + 1)], None, epoch=file.state.epoch, offset=file.state.end)
    file.write(WriteBatch([newest]), 1.0)
    assert file.committed.first == MESSAGES - 99
    file.close(WriteBatch(), 1.0)
