"""``GET /channels/NAME`` as Server-Sent Events, read by httpx-sse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from httpx_sse import EventSource, ServerSentEvent

from tests.daemon.scripted import channel_plan
from tests.daemon.scripted import closed as upstream_closed
from tests.gateway.faced import BAD
from tests.gateway.http.asking import Asked, asked
from tests.waiting import eventually
from wscli.config.models.upstream import Keepalive
from wscli.core.verdicts import parse_verdicts

EVENTS = {"Accept": "text/event-stream"}


@pytest_asyncio.fixture
async def it() -> AsyncIterator[Asked]:
    async with asked() as made:
        yield made


class Events:
    """The events of a stream, as they arrive."""

    def __init__(self, found: AsyncIterator[ServerSentEvent]) -> None:
        self._found = found

    async def next(self) -> tuple[str, str, Any]:
        """Give the type, the id and the record of the next event."""
        event = await anext(self._found)
        return event.event, event.id, event.json()

    async def rest(self) -> list[str]:
        """Give the types of all events until the end."""
        return [event.event async for event in self._found]


@asynccontextmanager
async def events(it: Asked, query: str = "", **headers: str) -> AsyncIterator[Events]:
    async with it.http.stream("GET", f"/channels/news?{query}", headers=EVENTS | headers) as answer:
        assert answer.headers["X-Accel-Buffering"] == "no"  # nginx passes on what arrives
        async with aclosing(EventSource(answer).aiter_sse()) as found:
            yield Events(found)


async def test_an_event_has_the_record_of_a_message_and_its_cursor(it: Asked) -> None:
    it.server.link.say("old")
    async with events(it) as stream:
        begins = {"channel": "news", "type": "cursor", "epoch": it.epoch, "seq": 1}
        assert await stream.next() == ("cursor", f"{it.epoch}:1", begins)
        it.server.link.say("line\r\nline", "b")
        kind, cursor, record = await stream.next()
        assert (kind, cursor) == ("message", f"{it.epoch}:2")
        assert record.keys() == {"channel", "epoch", "seq", "ts", "type", "data"}
        assert (record["seq"], record["data"]) == (2, "line\r\nline")
        assert (await stream.next())[1] == f"{it.epoch}:3"


async def test_the_last_event_id_goes_on_where_the_stream_was_lost(it: Asked) -> None:
    async with events(it, "after=zzzz:1") as stream:
        assert (await stream.next())[0] == "gap"
    it.server.link.say("a", "b", "c")
    resumed = {"Last-Event-ID": f"{it.epoch}:1"}
    async with events(it, "after=zzzz:1", **resumed) as stream:  # the URL stays as it is
        assert (await stream.next())[0] == "cursor"
        assert [(await stream.next())[2]["data"] for _ in range(2)] == ["b", "c"]


async def test_a_stream_lost_before_its_first_message_goes_on_there(it: Asked) -> None:
    it.server.link.say("old")
    async with events(it) as stream:
        _, cursor, _ = await stream.next()
    it.server.link.say("meanwhile")
    async with events(it, **{"Last-Event-ID": cursor}) as stream:
        await stream.next()
        assert (await stream.next())[2]["data"] == "meanwhile"


async def test_a_cursor_of_another_epoch_is_a_gap_that_has_the_new_cursor(it: Asked) -> None:
    async with events(it, **{"Last-Event-ID": "zzzz:17"}) as stream:
        kind, cursor, record = await stream.next()
        assert (kind, cursor, record["reason"]) == ("gap", f"{it.epoch}:0", "reset")


async def test_an_outage_is_a_gap_and_the_end_of_the_channel_an_end(it: Asked) -> None:
    async with events(it) as stream:
        await stream.next()
        it.server.link.say("a")
        it.server.link.end(upstream_closed(1006))
        await it.it.time.advance(10.0)
        it.server.link.end(BAD)
        assert await stream.rest() == ["message", "gap", "end"]
    refused = await it.get(headers=EVENTS | {"Last-Event-ID": f"{it.epoch}:1"})  # with which an EventSource ends
    assert (refused.status_code, refused.headers["Content-Type"]) == (409, "application/json")


async def test_a_channel_that_is_done_ends_an_event_source_with_204() -> None:

    async with asked(channel_plan(verdicts=(parse_verdicts({1000: "done"}),))) as it:
        it.server.link.say("a")
        it.server.link.end(upstream_closed(1000))
        answer = await it.get(headers=EVENTS | {"Last-Event-ID": f"{it.epoch}:1"})
        assert (answer.status_code, answer.content) == (204, b"")
        assert "Content-Length" not in answer.headers


async def test_events_can_be_read_without_following(it: Asked) -> None:
    it.server.link.say("a", "b")
    async with events(it, "follow=0&limit=1") as stream:
        assert await stream.rest() == ["message"]


async def test_a_quiet_stream_is_kept_alive_by_comments() -> None:
    async with (
        asked(keepalive=Keepalive(ping=0.05, timeout=60.0)) as it,
        it.stream("follow=1", Accept="text/event-stream") as stream,
    ):
        while await anext(stream.lines) != ":":
            pass
        async with events(it) as other:
            await other.next()
            await eventually(lambda: it.channel.readers == 2)
            it.server.link.say("a")
            assert (await other.next())[2]["data"] == "a"  # no event was made of the comments


@pytest.mark.parametrize("cursor", ["", "17", "k3f9:", "k3f9:1:2", "é"])
async def test_an_invalid_last_event_id_is_refused(it: Asked, cursor: str) -> None:
    answer = await it.get(headers={**EVENTS, "Last-Event-ID": cursor.encode()})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("invalid Last-Event-ID: ")
