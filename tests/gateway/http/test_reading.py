"""``GET /channels/NAME`` as JSON lines: what is there, by pages, by long poll and as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.daemon.scripted import channel_plan
from tests.daemon.scripted import closed as upstream_closed
from tests.gateway.faced import BAD, own_plan
from tests.gateway.http.asking import Asked, asked, records
from tests.waiting import eventually
from wscli.core.states import ChannelState

DIES = upstream_closed(1006)


@pytest_asyncio.fixture
async def it() -> AsyncIterator[Asked]:
    async with asked() as made:
        yield made


def data(found: list[Any]) -> list[str]:
    return [one["data"] for one in found]


async def test_a_read_gives_what_is_there_and_says_where_the_next_goes_on(it: Asked) -> None:
    it.server.link.say("a", "b")
    answer = await it.get()
    found = records(answer)
    assert data(found) == ["a", "b"]
    assert found[0].keys() == {"channel", "epoch", "seq", "ts", "type", "data"}
    assert answer.headers["Wscli-Cursor"] == f"{it.epoch}:2"
    assert answer.headers["Cache-Control"] == "no-store"
    it.server.link.say("c")
    answer = await it.get(f"/channels/news?after={answer.headers['Wscli-Cursor']}")
    assert data(records(answer)) == ["c"]
    assert answer.headers["Wscli-Cursor"] == f"{it.epoch}:3"


async def test_pages_give_each_message_once(it: Asked) -> None:
    for size in (1, 4, 2, 7, 3):
        it.server.link.say(*(f"{size}-{number}" for number in range(size)))
    seen, cursor = [], f"{it.epoch}:0"
    while len(seen) < 17:
        answer = await it.get("/channels/news", params={"after": cursor, "limit": "3"})
        page = records(answer)
        assert 1 <= len(page) <= 3
        seen += data(page)
        cursor = answer.headers["Wscli-Cursor"]
        assert cursor == f"{page[-1]['epoch']}:{page[-1]['seq']}"
    assert seen == [f"{size}-{number}" for size in (1, 4, 2, 7, 3) for number in range(size)]
    assert records(await it.get("/channels/news", params={"after": cursor, "limit": "3"})) == []


async def test_the_last_messages_can_be_asked_for(it: Asked) -> None:
    it.server.link.say("a", "b", "c")
    assert data(records(await it.get("/channels/news?last=2"))) == ["b", "c"]
    answer = await it.get("/channels/news?last=0")
    assert (records(answer), answer.headers["Wscli-Cursor"]) == ([], f"{it.epoch}:3")


async def test_a_cursor_of_another_epoch_is_told_by_a_gap(it: Asked) -> None:
    it.server.link.say("a")
    answer = await it.get("/channels/news?after=zzzz:17")
    gap, message = records(answer)
    assert (gap["type"], gap["reason"], message["data"]) == ("gap", "reset", "a")
    assert answer.headers["Wscli-Cursor"] == f"{it.epoch}:1"


async def test_a_binary_message_is_base64(it: Asked) -> None:
    it.server.link.listener.on_batch([b"\xff\x00"], b"b")
    (found,) = records(await it.get())
    assert (found["type"], found["encoding"], found["data"]) == ("binary", "base64", "/wA=")


async def test_a_head_is_answered_without_the_messages(it: Asked) -> None:
    it.server.link.say("a")
    answer = await it.http.head("/channels/news")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["Wscli-Cursor"] == f"{it.epoch}:1"
    assert (await it.http.head("/channels/news?follow=1&wait=1h")).content == b""
    await eventually(lambda: it.channel.readers == 0)


async def test_a_long_poll_waits_for_a_message(it: Asked) -> None:
    polling = asyncio.create_task(it.get("/channels/news?last=0&wait=1h"))
    await eventually(lambda: it.channel.readers == 1)
    it.server.link.say("a", "b")
    answer = await polling
    assert (data(records(answer)), answer.headers["Wscli-Cursor"]) == (["a", "b"], f"{it.epoch}:2")
    assert data(records(await it.get(f"/channels/news?after={it.epoch}:1&wait=1h"))) == ["b"]


async def test_a_long_poll_without_a_message_ends_with_its_cursor(it: Asked) -> None:
    it.server.link.say("a")
    answer = await it.get(f"/channels/news?after={it.epoch}:1&wait=20ms")
    assert (answer.status_code, records(answer)) == (200, [])
    assert answer.headers["Wscli-Cursor"] == f"{it.epoch}:1"


async def test_a_gap_does_not_end_a_long_poll_but_is_told_with_the_next_message(it: Asked) -> None:
    it.server.link.say("a")
    it.server.link.end(DIES)
    await it.it.time.advance(10.0)
    assert it.channel.state is ChannelState.READY
    (gap,) = records(await it.get(f"/channels/news?after={it.epoch}:1&wait=20ms"))
    assert gap["reason"] == "outage"
    polling = asyncio.create_task(it.get(f"/channels/news?after={it.epoch}:1&wait=1h"))
    await eventually(lambda: it.channel.readers == 1)
    it.server.link.say("b")
    assert [one["type"] for one in records(await polling)] == ["gap", "text"]


async def test_a_stream_follows_outages_until_the_channel_ends(it: Asked) -> None:
    it.server.link.say("old")
    async with it.stream() as stream:
        assert stream.answer.headers["Wscli-Cursor"] == f"{it.epoch}:1"
        it.server.link.say("a")
        assert (await stream.record())["data"] == "a"
        it.server.link.end(DIES)
        await it.it.time.advance(10.0)
        assert (await stream.record())["type"] == "gap"
        it.server.link.say("b")
        it.server.link.end(BAD)
        assert data([await stream.record()]) == ["b"]
        assert await stream.records() == [{"channel": "news", "type": "end", "code": 1002, "reason": "bad"}]
    await eventually(lambda: it.channel.readers == 0)


async def test_a_stream_ends_after_so_many_messages(it: Asked) -> None:
    async with it.stream("follow=1&limit=2") as stream:
        it.server.link.say("a")
        it.server.link.say("b", "c")
        assert data(await stream.records()) == ["a", "b"]


async def test_the_end_of_the_manager_is_told_to_a_stream_and_breaks_off_other_answers(it: Asked) -> None:
    polling = asyncio.create_task(it.get("/channels/news?wait=1h"))
    async with it.stream() as stream:
        await eventually(lambda: it.channel.readers == 2)
        await it.gateway.close()
        (end,) = await stream.records()
    assert (end["type"], end["code"]) == ("end", 1001)
    with pytest.raises(httpx.RemoteProtocolError):
        await polling


async def test_what_a_failed_channel_has_left_is_read_before_its_failure_is_told(it: Asked) -> None:
    it.server.link.say("a")
    it.server.link.end(BAD)
    assert data(records(await it.get())) == ["a"]
    assert [one["type"] for one in records(await it.get("/channels/news?follow=1&last=1"))] == ["text", "end"]
    for query in ("follow=1", f"after={it.epoch}:1&wait=1h"):
        answer = await it.get(f"/channels/news?{query}")
        assert answer.status_code == 409
        assert answer.json()["code"] == 8
        assert "is failed" in answer.json()["error"]


async def test_a_stream_ends_as_its_channel_is_removed_and_goes_on_as_it_is_paused(it: Asked) -> None:
    async with it.stream() as stream:
        it.channel.pause()
        it.channel.resume()
        await it.it.time.settle()
        it.server.link.say("a")
        assert [(await stream.record())["type"] for _ in range(2)] == ["gap", "text"]
        it.manager.apply(replace(it.manager.plan, channels={"other": channel_plan("other")}))
        (end,) = await stream.records()
        assert (end["type"], end["code"]) == ("end", 1001)


async def test_an_upgrade_at_this_path_is_refused_with_the_right_one(it: Asked) -> None:
    refused = await it.refused("/channels/news")
    assert refused.status_code == 404
    assert b"/ws/CHANNEL" in refused.body


async def test_a_long_poll_ends_as_its_channel_does(it: Asked) -> None:
    polling = asyncio.create_task(it.get("/channels/news?wait=1h"))
    await eventually(lambda: it.channel.readers == 1)
    it.server.link.end(BAD)
    assert records(await polling) == []


async def test_a_read_opens_no_lazy_channel_but_a_poll_does() -> None:
    async with asked(channel_plan(eager=False)) as it:
        assert records(await it.get()) == []
        assert it.channel.state is ChannelState.IDLE
        polling = asyncio.create_task(it.get("/channels/news?wait=1h"))
        await eventually(lambda: it.server.links)
        await it.it.time.settle()
        it.server.link.say("a")
        assert data(records(await polling)) == ["a"]
        await it.it.time.advance(1.0)
        assert it.server.links == []


async def test_a_channel_whose_clients_have_their_own_upstreams_is_read_and_sent_to_on_its_own() -> None:
    async with asked(own_plan()) as it, it.client() as client:
        polling = asyncio.create_task(it.get("/channels/news?wait=1h"))
        await eventually(lambda: len(it.server.links) == 2)
        await it.it.time.settle()
        own, shared = it.server.links
        own.say("for the client")
        shared.say("for all")
        assert data(records(await polling)) == ["for all"]
        assert await client.recv() == "for the client"
        assert (await it.post(content="a")).status_code == 200
        assert own.sent == []


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("after=17", "invalid after: '17'"),
        ("after=", "invalid after: ''"),
        ("after=k3f9:17&last=1", "'last' and 'after' exclude each other"),
        ("last=-1", "invalid last: '-1'"),
        ("limit=many", "invalid limit: 'many'"),
        ("limit=" + "9" * 16, f"invalid limit: '{'9' * 16}'"),
        ("wait=30", "invalid wait: '30'"),
        ("follow=yes", "invalid follow: 'yes'"),
    ],
)
async def test_an_invalid_value_is_refused(it: Asked, query: str, error: str) -> None:
    answer = await it.get(f"/channels/news?{query}")
    assert answer.status_code == 400
    assert (answer.json()["error"], answer.json()["code"]) == (error, 2)
    assert answer.json()["hint"]


async def test_a_channel_that_is_not_declared_is_not_found(it: Asked) -> None:
    for path in ("/channels/nws", "/channels/", "/channels/a%2Fb", "/channels/news/pause"):
        answer = await it.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, 6), path
    answer = await it.http.put("/channels/news")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST, OPTIONS")
    assert (await it.http.options("/channels/news")).headers["Allow"] == "GET, HEAD, POST, OPTIONS"
