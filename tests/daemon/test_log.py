"""The log's promises: one line a record for people, one JSON object for `wscli logs`, from whatever thread."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator

import pytest

from wscli.clock import SystemClock
from wscli.daemon.log import capture, release
from wscli.history.limits import HistoryLimits
from wscli.history.memory import MemoryHistory

log = logging.getLogger("wscli.test")


@pytest.fixture
def history() -> MemoryHistory:
    return MemoryHistory(HistoryLimits(), clock=SystemClock())


def records(history: MemoryHistory) -> Iterator[dict[str, object]]:
    cursor = history.seek_start().cursor
    while (found := history.read(cursor)) is not None:
        cursor = found.cursor
        yield from map(json.loads, found.item.payloads)  # type: ignore[union-attr]  # a log has no gaps


async def test_a_record_is_a_line_for_people_and_an_object_for_machines(history: MemoryHistory) -> None:
    stream = io.StringIO()
    handlers = capture(history, stream)
    log.warning("news: %s", "lost", extra={"channel": "news", "event": "lost"})
    release(handlers)
    assert stream.getvalue().endswith(" warning news: lost\n")
    (record,) = records(history)
    assert {key: record[key] for key in ("level", "logger", "channel", "event", "message")} == {
        "level": "warning",
        "logger": "wscli.test",
        "channel": "news",
        "event": "lost",
        "message": "news: lost",
    }


async def test_remote_text_steers_no_terminal_and_breaks_no_record(history: MemoryHistory) -> None:
    stream = io.StringIO()
    handlers = capture(history, stream)
    log.warning("closed: %s", "\x1b[2Jgone\n2026 error all is lost \ud800")
    release(handlers)
    assert len(stream.getvalue().splitlines()) == 1
    assert "\x1b" not in stream.getvalue()
    assert len(list(records(history))) == 1


async def test_a_record_of_another_thread_reaches_the_history_in_the_loop(history: MemoryHistory) -> None:
    handlers = capture(history, io.StringIO())
    await asyncio.to_thread(log.warning, "from a thread")
    await asyncio.sleep(0)
    release(handlers)
    assert [record["message"] for record in records(history)] == ["from a thread"]


async def test_libraries_whose_debug_log_holds_tokens_stay_quiet(history: MemoryHistory) -> None:
    stream = io.StringIO()
    handlers = capture(history, stream)
    for name in ("websockets.client", "picows.client", "aiohttp.client", "asyncio"):
        logging.getLogger(name).debug("GET /?token=s3cret")
        logging.getLogger(name).info("GET /?token=s3cret")
    release(handlers)
    assert stream.getvalue() == ""
    assert list(records(history)) == []


async def test_a_record_that_cannot_be_formatted_harms_nobody(
    history: MemoryHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)  # which would print it on stderr
    handlers = capture(history, io.StringIO())
    log.warning("%d dials", "many")
    log.warning("the next one")
    release(handlers)
    assert [record["message"] for record in records(history)] == ["the next one"]
