"""The log's promises: one line a record for people, one JSON object for `wscli logs`, from whatever thread."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import logging
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import pytest

from wscli.clock import SystemClock
from wscli.history.limits import HistoryLimits
from wscli.history.memory import History
from wscli.process.log import Format, RotatingLog, capture, is_journal

log = logging.getLogger("wscli.test")


@pytest.fixture
def history() -> History:
    return History(HistoryLimits(), clock=SystemClock())


@pytest.fixture
def errors() -> History:
    return History(HistoryLimits(), clock=SystemClock())


def records(history: History) -> Iterator[dict[str, object]]:
    cursor = history.seek_start().cursor
    while (found := history.read(cursor)) is not None:
        cursor = found.cursor
        yield from map(json.loads, found.item.payloads)  # type: ignore[union-attr]  # a log has no gaps


@contextmanager
def captured(history: History, stream: TextIO | None = None, **options: Any) -> Iterator[TextIO]:
    """Log to a history of level info and a stream."""
    stream = stream or io.StringIO()
    with capture({"info": history}, stream, **options):
        yield stream


async def test_a_record_is_a_line_for_people_and_an_object_for_machines(history: History) -> None:
    with captured(history) as stream:
        log.warning("news: %s", "lost", extra={"channel": "news", "event": "lost"})
    assert stream.getvalue().endswith(" warning news: lost\n")
    (record,) = records(history)
    assert {key: record[key] for key in ("level", "logger", "channel", "event", "message")} == {
        "level": "warning",
        "logger": "wscli.test",
        "channel": "news",
        "event": "lost",
        "message": "news: lost",
    }


async def test_remote_text_is_escaped_and_stays_one_line(history: History) -> None:
    with captured(history) as stream:
        log.warning("closed: %s", "\x1b[2Jgone\n2026 error all is lost \ud800")
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()
    assert len(list(records(history))) == 1


async def test_a_record_of_another_thread_is_appended_on_the_loop(history: History) -> None:
    with captured(history):
        await asyncio.to_thread(log.warning, "from a thread")
        await asyncio.sleep(0)
    assert [record["message"] for record in records(history)] == ["from a thread"]


async def test_debug_records_of_libraries_are_not_logged(history: History) -> None:
    with captured(history) as stream:
        for name in ("websockets.client", "picows.client", "aiohttp.client", "asyncio"):
            logging.getLogger(name).debug("GET /?token=s3cret")
            logging.getLogger(name).info("GET /?token=s3cret")
    assert stream.getvalue() == ""
    assert list(records(history)) == []


async def test_a_history_has_the_records_of_its_level_and_above_whatever_the_stream_shows(
    history: History, errors: History
) -> None:
    stream = io.StringIO()
    with capture({"debug": history, "error": errors}, stream, level="warning"):
        for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
            log.log(number, "one")
    assert [record["level"] for record in records(history)] == ["debug", "info", "warning", "error"]
    assert [record["level"] for record in records(errors)] == ["error"]
    assert [line.split()[2] for line in stream.getvalue().splitlines()] == ["warning", "error"]


async def test_a_record_that_cannot_be_formatted_is_dropped_alone(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)  # which would print it on stderr
    with captured(history):
        log.warning("%d dials", "many")
        log.warning("the next one")
    assert [record["message"] for record in records(history)] == ["the next one"]


@pytest.fixture
def journal() -> Iterator[tuple[TextIO, socket.socket, dict[str, str]]]:
    """A stream that leads to a journal, its other end, and the environment that says so."""
    ours, theirs = socket.socketpair()
    theirs.settimeout(30)
    with theirs, ours, ours.makefile("w") as stream:
        facts = os.fstat(ours.fileno())
        yield stream, theirs, {"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"}


@pytest.mark.parametrize("form", ["text", "json"])
async def test_in_the_journal_each_line_of_a_record_has_its_level(
    history: History, journal: tuple[TextIO, socket.socket, dict[str, str]], form: Format
) -> None:
    stream, theirs, environ = journal
    with captured(history, stream, form=form, environ=environ):
        for number in (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO):
            log.log(number, "news: %s", "a\nb")
        log.error("it failed", exc_info=ValueError("no"))
    lines = theirs.recv(65536).decode().splitlines()
    assert [line[:3] for line in lines[:4]] == ["<2>", "<3>", "<4>", "<6>"]
    assert {line[:3] for line in lines[4:]} == {"<3>"}
    if form == "text":
        assert lines[2] == "<4>warning news: a\\nb", "the journal has a date of its own"
        assert lines[4:] == ["<3>error it failed", "<3>ValueError: no"]
    else:
        assert json.loads(lines[2].removeprefix("<4>"))["message"] == "news: a\nb"
        assert "ValueError" in json.loads(lines[4].removeprefix("<3>"))["traceback"]


async def test_a_stream_that_is_not_the_journal_s_has_no_levels(
    history: History, journal: tuple[TextIO, socket.socket, dict[str, str]], tmp_path: Path
) -> None:
    _, _, environ = journal
    with (tmp_path / "log").open("w+") as stream:
        for other in (environ, {"JOURNAL_STREAM": "junk"}, {}):
            assert not is_journal(stream, other)
    assert not is_journal(stream, environ), "a closed one"
    assert not is_journal(io.StringIO(), environ)
    assert not is_journal(None, environ)  # type: ignore[arg-type]  # as sys.stderr is in a process without one


async def test_as_json_it_is_the_object_of_wscli_logs(history: History) -> None:
    with captured(history, form="json") as stream:
        log.warning("news: %s", "l\u00f6st\n", extra={"channel": "news", "event": "lost"})
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == list(records(history))


class Rotated:
    """A log of 1,000 bytes, open twice, as stdout and stderr of a process are."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "state" / "app.log"
        self.path.parent.mkdir()
        self.stream = self.path.open("a")
        self.other = os.dup(self.stream.fileno())
        self.file = RotatingLog(self.path, descriptors=(self.other, self.stream.fileno()), limit=1000)

    def sizes(self) -> dict[str, int]:
        return {path.name: path.stat().st_size for path in sorted(self.path.parent.iterdir())}

    def write(self, size: int = 600) -> None:
        os.write(self.other, b"x" * size)


@pytest.fixture
def rotated(tmp_path: Path) -> Iterator[Rotated]:
    rotated = Rotated(tmp_path)
    with rotated.stream:
        yield rotated
    os.close(rotated.other)


async def test_a_full_log_is_rotated_and_three_are_kept(history: History, rotated: Rotated) -> None:
    with captured(history, rotated.stream, file=rotated.file):
        for number in range(1, 8):
            rotated.write(1000 + number)
            log.warning("number %d", number)
    sizes = rotated.sizes()
    assert list(sizes) == ["app.log", "app.log.1", "app.log.2", "app.log.3"]
    assert rotated.path.read_text().endswith(" warning number 7\n")
    assert "number 6" in rotated.path.with_name("app.log.1").read_text()
    assert "number 4" in rotated.path.with_name("app.log.3").read_text()
    assert stat.S_IMODE(rotated.path.stat().st_mode) == 0o600


async def test_both_descriptors_write_to_the_new_file(rotated: Rotated) -> None:
    rotated.write(1000)
    assert rotated.file.rotate() is None
    rotated.write(5)
    os.write(rotated.stream.fileno(), b"12345")
    assert rotated.sizes() == {"app.log": 10, "app.log.1": 1000}
    assert rotated.file.rotate() is None
    assert rotated.sizes() == {"app.log": 10, "app.log.1": 1000}


async def test_a_descriptor_of_another_file_is_not_redirected(rotated: Rotated, tmp_path: Path) -> None:
    with (tmp_path / "else").open("w") as elsewhere:
        os.dup2(elsewhere.fileno(), rotated.other)
    os.write(rotated.stream.fileno(), b"x" * 1000)
    assert rotated.file.rotate() is None
    os.write(rotated.other, b"12345")
    assert (tmp_path / "else").read_text() == "12345"


async def test_a_log_that_cannot_be_rotated_goes_on_and_warns_once(history: History, rotated: Rotated) -> None:
    gone = rotated.path.parent.rename(rotated.path.parent.with_name("gone"))
    with captured(history, rotated.stream, file=rotated.file):
        rotated.write(1000)
        log.warning("first")
        log.warning("second")
        assert [record["message"] for record in records(history)] == [
            "cannot rotate the log: no such file or directory",
            "first",
            "second",
        ]
        rotated.path.parent.mkdir()
        rotated.write(1000)  # as much again: it is tried once more
        log.warning("third")
    assert "second" in (gone / "app.log").read_text()
    assert rotated.path.read_text().endswith(" warning third\n")


async def test_a_full_disk_raises_nothing(history: History, rotated: Rotated, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    rotated.write(1000)
    with captured(history, rotated.stream, file=rotated.file), monkeypatch.context() as patch:
        patch.setattr(os, "open", full)
        log.warning("still here")
    assert rotated.path.read_text().endswith(" warning still here\n")
    assert list(rotated.sizes()) == ["app.log"]


async def test_a_log_that_was_moved_is_begun_anew(rotated: Rotated) -> None:
    rotated.write(1000)
    rotated.path.rename(rotated.path.with_name("mine"))
    assert rotated.file.rotate() is None
    rotated.write(5)
    assert rotated.sizes() == {"app.log": 5, "mine": 1000}
