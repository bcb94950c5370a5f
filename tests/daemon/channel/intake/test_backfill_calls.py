"""What a backfill requests, what it makes of each answer, and what is stated where one does not help."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.daemon.channel.intake.outages import Http, lost, message, outage, plan, problems, reload, told
from tests.daemon.scripted import scripted
from wscli.backfill.answers import parse_messages
from wscli.backfill.models import BackfillModel
from wscli.daemon.channel.intake import requests as requests_module
from wscli.net.http import RequestFailed
from wscli.tokens.models import TokenSource

URL = "https://example.com/missed"
GIVEN_UP = "; messages missed after 1 were given up"
AGAIN = "; messages missed after 1 are requested again"
IN_PATH = "https://example.com/orders/{gap.id}/missed"
NO_PATH = f"a value would change the path of {IN_PATH}{AGAIN}"
WITH_TOKEN = plan(headers={"Authorization": "Bearer {token.session}"})


@pytest.mark.parametrize(
    ("answers", "declared", "calls", "found", "problem"),
    [
        pytest.param(
            [[2, 3], [3, 4], [5], [5]], {}, [1, 3, 4, 5], [("outage", 4), "+2", "+3", "+4", "+5"], None, id="pages"
        ),
        pytest.param(
            [[2], [3], [4]], {"calls": "2"}, [1, 2], [("outage", None), "+2", "+3"],
            "found 2 messages missed after 1; there may be more", id="the last call leaves more",
        ),
        pytest.param([[4, 3, 2]], {"order": "newest"}, [1], [("outage", 3), "+2", "+3", "+4"], None, id="newest first"),
        pytest.param(
            [[3], [4, 5], []], {"first": (message(3), message(2))}, [2, 3, 5], [("outage", 2), "+4", "+5"], None,
            id="a page of what is there already is not the end",
        ),
        pytest.param(
            [[2], []], {"first": (message(1), message(9).encode())}, [1, 2], [("outage", 1), "+2"], None,
            id="nothing begins from a binary message",
        ),
        pytest.param(
            [[2, 3], []], {"id": ".idd"}, [1, 3], [("outage", 2), "+2", "+3"],
            "no message of the answer has .idd, the declared id", id="an id that no message has",
        ),
        pytest.param(
            [[2]], {"url": URL + "?after={gap.id:int}", "first": ('{"id":"x"}',)}, [], [("outage", None)],
            "the value of '{gap.id:int}' does not fit its filter" + GIVEN_UP, id="no call can be made",
        ),
        pytest.param(
            [[2]], {"url": IN_PATH, "first": ('{"id":"."}',)}, [], [], NO_PATH, id="here on a path"
        ),
        pytest.param(
            [[2]], {"url": IN_PATH, "first": ('{"id":".."}',)}, [], [], NO_PATH, id="up a path"
        ),
    ],
)  # fmt: skip
async def test_what_is_requested_and_what_becomes_of_the_answers(
    answers: list[Any], declared: dict[str, Any], calls: list[int], found: list[Any], problem: str | None
) -> None:
    more = declared.copy()
    first: Sequence[str | bytes] = more.pop("first", (message(1),))
    async with lost(*answers, declared=plan(**more), first=first) as (it, http):
        assert http.urls == [f"missed?after={number}" for number in calls]
        assert told(it)[len(first) :] == found
        assert problems(it) == ([] if problem is None else [f"backfill: {problem}"])


async def test_a_call_that_fails_is_made_again_and_stated_until_it_works() -> None:
    async with lost(RequestFailed(f"connection refused ({URL})"), 503, [2], []) as (it, _):
        assert problems(it) == [f"backfill: connection refused ({URL}){AGAIN}"]
        await it.time.advance(1.0)
        assert problems(it) == [f"backfill: HTTP 503 from {URL}{AGAIN}"]
        await it.time.advance(2.0)
        assert problems(it) == []
        assert told(it) == ["1", ("outage", 1), "+2"]


async def test_a_gap_that_is_filled_in_part_says_no_number() -> None:
    async with lost([2, 3], *[500] * 5, declared=plan(hold="10m")) as (it, _):
        await it.time.advance(60.0)
        assert told(it) == ["1", ("outage", None), "+2", "+3"]
        assert problems(it) == [f"backfill: HTTP 500 from {URL}{GIVEN_UP}"]


async def test_a_call_that_never_works_is_given_up_and_that_stays_stated() -> None:
    async with lost(*[500] * 5, [4], []) as (it, http):
        it.server.link.say(message(3))
        await it.time.advance(60.0)
        assert len(http.requests) == 5
        assert told(it) == ["1", ("outage", None), "3"]
        assert problems(it) == [f"backfill: HTTP 500 from {URL}{GIVEN_UP}"]
        await outage(it)
        assert told(it)[3:] == [("outage", 1), "+4"]
        assert problems(it) == []


async def test_a_server_that_asks_for_a_day_is_not_waited_for() -> None:
    async with lost(RequestFailed(f"HTTP 503 from {URL}", retry_after=86400.0), [4], []) as (it, _):
        it.server.link.say(message(3))
        assert told(it) == ["1", ("outage", None), "3"]
        assert problems(it) == [f"backfill: HTTP 503 from {URL}, which asks to wait for 1d{GIVEN_UP}"]
        await outage(it, 2.0)
        assert told(it)[3:] == [("outage", 1), "+4"], "the next gap does not wait for it either"


async def test_an_error_of_our_own_is_stated_and_the_next_gap_is_filled() -> None:
    async with lost([2], RuntimeError("s3cret"), [5], []) as (it, _):
        it.server.link.say(message(4))
        assert told(it) == ["1", ("outage", None), "+2", "4"]
        assert problems(it) == ["backfill: an error of wscli itself: RuntimeError; `wscli logs` has more"]
        await outage(it, 2.0)
        assert told(it)[4:] == [("outage", 1), "+5"]
        assert problems(it) == []


async def test_a_refused_token_is_fetched_anew() -> None:
    tokens = {"session": TokenSource.model_validate({"value": "one"})}
    async with lost(401, [2], [], declared=WITH_TOKEN, tokens=tokens) as (it, http):
        await it.time.advance(1.0)
        assert [request.headers["Authorization"] for request in http.requests] == ["Bearer one"] * 3
        assert it.manager.broker.stats()["session"]["fetches"] == 2
        assert told(it) == ["1", ("outage", 1), "+2"]


async def test_a_token_that_cannot_be_had_is_stated() -> None:
    tokens = {"session": TokenSource.model_validate({"env": "NO_SUCH_VARIABLE"})}
    async with lost([2], [], declared=WITH_TOKEN, tokens=tokens) as (it, http):
        (problem,) = problems(it)
        assert problem.endswith(AGAIN)
        assert "'session'" in problem
        assert http.requests == []


async def test_where_nothing_came_before_there_is_nothing_to_begin_from(caplog: pytest.LogCaptureFixture) -> None:
    async with lost([2], first=()) as (it, http):
        assert (told(it), http.requests) == ([("outage", None)], [])
        assert "news: backfill: nothing to begin from: none of the messages up to 0 has .id" in caplog.messages


async def test_the_times_of_a_gap_can_be_asked_by() -> None:
    http = Http([2])
    url = URL + "?since={gap.since}&ms={gap.start:ms}&until={gap.end:rfc3339}"
    async with scripted(plan(url=url, capture={}), http=http) as it:
        await it.time.advance(0.5)
        it.server.link.say(message(1))
        await it.time.advance(9.75)
        await outage(it, 1.0)
        base = 1_764_001_000
        assert http.urls == [f"missed?since={base}&ms={base + 10}000&until=2025-11-24T16%3A16%3A52Z"]
        assert told(it) == ["1", ("outage", 1), "+2"]


async def test_what_messages_and_names_hold_cannot_lead_a_call_elsewhere() -> None:
    declared = plan("rooms/{id}", url="https://example.com/{param.id}/{gap.id}?x={gap.id:url}")
    first = (json.dumps({"id": "@evil.com/../?#&"}),)
    async with lost([2], [], declared=declared, opened="rooms/a b%2e", first=first) as (_, http):
        evil = "%40evil.com%2F..%2F%3F%23%26"
        assert http.requests[0].url == f"https://example.com/a%20b%252e/{evil}?x={evil}"


async def test_a_reload_that_renames_a_parameter_counts_for_calls_too() -> None:
    declared = plan("rooms/{id}", url="https://example.com/{param.id}?after={gap.id}")
    async with lost([2], [], declared=declared, opened="rooms/7") as (it, http):
        http.requests.clear()
        renamed = plan("rooms/{room}", url="https://example.com/{param.room}?after={gap.id}")
        reload(it, replace(renamed, params=("room",), eager=False))
        await it.time.settle()
        await outage(it)
        assert set(http.urls) == {"7?after=2"}


async def test_a_large_answer_is_read_in_a_thread_so_that_other_channels_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def reading(text: str, declared: BackfillModel) -> list[bytes]:
        threads.append(threading.get_ident())
        return parse_messages(text, declared)

    monkeypatch.setattr(requests_module, "parse_messages", reading)
    async with lost([{"id": number, "text": "x" * 100} for number in range(2, 5002)], []) as (it, _):
        async with asyncio.timeout(30):
            while it.channel.history.last < 5001:  # noqa: ASYNC110 - a thread takes its time
                await asyncio.sleep(0.001)
        here = threading.get_ident()
        assert [thread == here for thread in threads] == [False, True], "a small one is read at once"
        assert it.channel.stats()["backfilled"] == 5000
