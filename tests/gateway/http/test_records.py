"""The answer to a GET, without sockets: in every order of messages, gaps and requests nothing is lost or repeated."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import SOME
from wscli.clock import SystemClock
from wscli.daemon.fanout.sources import HistorySource
from wscli.gateway.http.records import CURSOR_HEADER, ReadOptions, RecordFeed
from wscli.history.limits import HistoryLimits
from wscli.history.memory import History
from wscli.history.records import Position

HEADERS = [("Host", "localhost")]


class Answer(NamedTuple):
    """What a client made of an answer."""

    cursor: str
    body: bytes

    def records(self) -> list[Any]:
        return [json.loads(line) for line in self.body.split(b"\n") if line]

    def events(self) -> list[Any]:
        """The data of the events (HTML, section 9.2)."""
        return [json.loads(line.removeprefix(b"data: ")) for line in self.body.split(b"\n") if line[:5] == b"data:"]


def read(history: History, after: str, *, limit: int | None, events: bool = False, version: str = "1.1") -> Answer:
    """Ask for what is behind a cursor, and parse the answer as a client does."""
    client, server = h11.Connection(h11.CLIENT), h11.Connection(h11.SERVER)
    asked = client.send(h11.Request(method="GET", target="/channels/news", headers=HEADERS)) or b""
    server.receive_data(asked.replace(b"HTTP/1.1", f"HTTP/{version}".encode()))
    assert isinstance(server.next_event(), h11.Request)
    client.send(h11.EndOfMessage())
    start = history.seek_after(Position.parse(after))
    feed = RecordFeed(server, HistorySource("news", history, start), ReadOptions(start, events, False, 0.0, limit), {})
    while pieces := feed.take():
        client.receive_data(b"".join(pieces))
    assert feed.ended
    client.receive_data(b"")
    head = client.next_event()
    assert isinstance(head, h11.Response)
    body = b""
    while isinstance(event := client.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    return Answer(dict(head.headers)[CURSOR_HEADER.lower().encode()].decode(), body)


def pages(history: History, limit: int, *, events: bool) -> tuple[list[str], int]:
    """Read a whole history by pages; give the messages and the number of gaps."""
    cursor, messages, gaps = f"{history.epoch}:0", [], 0
    while True:
        answer = read(history, cursor, limit=limit, events=events)
        found = answer.events() if events else answer.records()
        page = [one["data"] for one in found if one["type"] != "gap"]
        gaps += len(found) - len(page)
        assert len(page) <= limit
        if not page:
            assert answer.cursor == cursor
            return messages, gaps
        messages += page
        cursor = answer.cursor


steps = st.lists(st.integers(1, 6) | st.just("gap"), max_size=12)


@settings(max_examples=SOME, deadline=None)
@given(steps=steps, limit=st.integers(1, 8), events=st.booleans())
def test_pages_of_any_size_hold_every_message_once_and_every_gap(
    steps: list[int | str], limit: int, events: bool
) -> None:
    history = History(HistoryLimits(), clock=SystemClock())
    said: list[str] = []
    for step in steps:
        if isinstance(step, int):
            batch = [f"message {len(said) + number}\n\r\u2028" for number in range(step)]
            history.append([one.encode() for one in batch], None)
            said += batch
        else:
            history.record_gap("outage")
    messages, gaps = pages(history, limit, events=events)
    assert messages == said
    assert gaps >= steps.count("gap")  # those at the end of a page are told again


@settings(max_examples=SOME, deadline=None)
@given(kept=st.integers(1, 5), count=st.integers(0, 20), after=st.integers(0, 25), limit=st.none() | st.integers(0, 9))
def test_a_cursor_from_before_or_behind_the_history_is_told_by_a_gap(
    kept: int, count: int, after: int, limit: int | None
) -> None:
    history = History(HistoryLimits(keep=kept), clock=SystemClock())
    for number in range(1, count + 1):
        history.append([b"%d" % number], None)
    answer = read(history, f"{history.epoch}:{after}", limit=limit)
    found = answer.records()
    first = after + 1 if history.first - 1 <= after <= history.last else history.first
    wanted = list(range(first, history.last + 1))[: len(found) if limit is None else limit]
    assert [one["seq"] for one in found if one["type"] == "text"] == wanted
    assert [one["reason"] for one in found if one["type"] == "gap"] == (
        [] if first == after + 1 else ["reset" if after > history.last else "truncated"]
    )
    assert answer.cursor == f"{history.epoch}:{first - 1 + len(wanted)}"


def test_an_answer_to_a_client_of_http_1_0_has_no_chunks() -> None:
    history = History(HistoryLimits(), clock=SystemClock())
    history.append([b"a", b"b"], None)
    answer = read(history, f"{history.epoch}:0", limit=None, version="1.0")
    assert [one["data"] for one in answer.records()] == ["a", "b"]
