"""What a channel missed is asked for, and stands where it belongs: after its gap, before what came later, once."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.scripted import REFUSED, Scripted, channel_plan, closed, scripted
from wscli.backfill.answers import parse_messages
from wscli.backfill.models import BackfillModel
from wscli.config.plan import ChannelPlan
from wscli.daemon.channel.intake import backfill as backfill_module
from wscli.daemon.channel.intake import requests as requests_module
from wscli.history.limits import HistoryLimits
from wscli.history.records import Batch, GapRecord
from wscli.net.http import HttpAnswer, HttpRequest, RequestFailed
from wscli.templates.paths import compile_path_expression
from wscli.tokens.models import TokenSource


def plan(name: str = "news", **more: Any) -> ChannelPlan:
    """A plan whose server has ``GET /missed?after=ID``; keyword arguments are keys of the backfill, or its URL."""
    url = more.pop("url", "https://example.com/missed?after={gap.id}")
    headers = more.pop("headers", {})
    declared = {"http": {"get": url, "headers": headers}, "capture": {"id": ".id"}, "id": ".id", **more}
    return channel_plan(name, backfill=BackfillModel.model_validate(declared))


class Http:
    """Answers with what the test says: a list of ids, a status, or a failure; waits while ``hold`` is set."""

    def __init__(self, *answers: list[Any] | int | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[HttpRequest] = []
        self.hold: asyncio.Future[None] | None = None

    async def fetch(self, request: HttpRequest, *, read_errors: bool = False) -> HttpAnswer:
        self.requests.append(request)
        if self.hold is not None:
            await self.hold
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return HttpAnswer(answer, b"", None)
        items = [{"id": item} if isinstance(item, int) else item for item in answer]
        return HttpAnswer(200, json.dumps(items).encode(), None)

    async def close(self) -> None:
        pass

    async def go_on(self, it: Scripted) -> None:
        """Answer what waits."""
        assert self.hold is not None
        self.hold.set_result(None)
        await it.time.settle()

    @property
    def urls(self) -> list[str]:
        return [request.url.rpartition("/")[2] for request in self.requests]


def message(number: int) -> str:
    return json.dumps({"id": number}, separators=(",", ":"))


async def outage(it: Scripted, seconds: float = 1.0) -> None:
    """Lose the connection, and be ready again."""
    it.server.link.end(closed(1006))
    await it.time.advance(seconds)
    await it.time.settle()


@asynccontextmanager
async def lost(
    *answers: Any, declared: ChannelPlan | None = None, held: bool = False, tokens: Any = None
) -> AsyncIterator[tuple[Scripted, Http]]:
    """A channel after message 1 and an outage, and what it asks; ``held``: no answer comes before ``Http.go_on``."""
    http = Http(*answers)
    async with scripted(declared or plan(), http=http, tokens=tokens) as it:
        it.server.link.say(message(1))
        http.hold = asyncio.get_running_loop().create_future() if held else None
        await outage(it)
        yield it, http


def told(it: Scripted, name: str = "news") -> list[Any]:
    """All that readers are told: ids, ``+`` before those that were asked for, and ``(reason, backfilled)`` of gaps."""
    history = it.manager.channel(name).history
    cursor, found = history.seek_start().cursor, []
    while (item := history.read(cursor)) is not None:
        cursor = item.cursor
        if isinstance(item.item, GapRecord):
            found.append((item.item.reason, item.item.backfilled))
        elif isinstance(item.item, Batch):
            mark = "+" if item.item.backfill else ""
            found += [f"{mark}{json.loads(payload).get('id')}" for payload in item.item.payloads]
    return found


async def until_told(it: Scripted, what: str) -> None:
    async with asyncio.timeout(30):
        while what not in told(it):  # noqa: ASYNC110 - the file is read in a thread, which tells the history alone
            await asyncio.sleep(0.001)


async def test_what_was_missed_follows_its_gap_and_comes_before_the_rest() -> None:
    async with lost([2, 3], [], held=True) as (it, http):
        it.server.link.say(message(4))
        await it.time.settle()
        assert told(it) == ["1"], "nothing overtakes what was missed"
        await http.go_on(it)
        assert told(it) == ["1", ("outage", 2), "+2", "+3", "4"]
        stats = it.channel.stats()
        assert (stats["received"], stats["backfilled"], stats["gaps"]) == (2, 2, {"outage": 1})
        assert http.urls == ["missed?after=1", "missed?after=3"]


async def test_what_came_as_well_is_there_once() -> None:
    async with lost([1, 2, 3, 4], [], held=True) as (it, http):
        it.server.link.say(message(4), message(5))
        await http.go_on(it)
        it.server.link.say(message(3), message(6))
        await it.time.advance(29.0)
        it.server.link.say(message(5), message(7))
        assert told(it) == ["1", ("outage", 3), "+2", "+3", "+4", "5", "6", "7"]
        assert it.channel.stats()["duplicates"] == 3
        await it.time.advance(2.0)
        it.server.link.say(message(7))
        assert told(it)[-2:] == ["7", "7"], "later nothing is compared: no message is parsed without need"


async def test_an_answer_of_many_pages_is_asked_for_page_by_page() -> None:
    async with lost([2, 3], [3, 4], [5], [5]) as (it, http):
        assert http.urls == [f"missed?after={number}" for number in (1, 3, 4, 5)]
        assert told(it) == ["1", ("outage", 4), "+2", "+3", "+4", "+5"]
        assert it.channel.problems.texts() == []


async def test_the_last_call_is_stated_where_there_may_be_more() -> None:
    async with lost([2], [3], [4], declared=plan(calls="2")) as (it, _):
        assert told(it) == ["1", ("outage", None), "+2", "+3"]
        assert it.channel.problems.texts() == ["backfill: found 2 messages missed after 1; there may be more"]


async def test_what_a_server_gives_newest_first_is_turned_round() -> None:
    async with lost([4, 3, 2], declared=plan(order="newest")) as (it, http):
        assert told(it) == ["1", ("outage", 3), "+2", "+3", "+4"]
        assert len(http.requests) == 1


async def test_an_answer_that_is_late_holds_nothing_up_for_long() -> None:
    async with lost([2, 4], [], declared=plan(hold="3s"), held=True) as (it, http):
        it.server.link.say(message(4))
        await it.time.advance(2.5)
        assert told(it) == ["1"]
        await it.time.advance(1.0)
        assert told(it) == ["1", ("outage", None), "4"]
        it.server.link.say(message(5))
        assert told(it)[-1] == "5"
        await http.go_on(it)
        assert told(it) == ["1", ("outage", None), "4", "5", "+2"]


async def test_what_is_held_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_module, "MAX_HELD", 200)
    async with lost([2], [], held=True) as (it, http):
        it.server.link.say(message(3))
        it.server.link.say(message(4))
        assert told(it) == ["1"]
        it.server.link.say(message(5))
        assert told(it) == ["1", ("outage", None), "3", "4", "5"]
        await http.go_on(it)
        assert told(it)[-1] == "+2"


async def test_an_outage_while_an_answer_is_awaited_is_a_gap_of_its_own() -> None:
    async with lost([2], [], [4], [], declared=plan(hold="1m"), held=True) as (it, http):
        it.server.link.say(message(3))
        await outage(it, 2.0)
        it.server.link.say(message(5))
        assert told(it) == ["1"]
        await http.go_on(it)
        assert told(it) == ["1", ("outage", 1), "+2", "3", ("outage", 1), "+4", "5"]
        assert http.urls == [f"missed?after={number}" for number in (1, 2, 3, 4)]


async def test_a_call_that_fails_is_made_again_and_stated_until_it_works() -> None:
    refused = RequestFailed("connection refused (https://example.com/missed)")
    async with lost(refused, 503, [2], []) as (it, _):
        assert it.channel.problems.texts() == [
            "backfill: connection refused (https://example.com/missed); messages missed after 1 are requested again"
        ]
        await it.time.advance(1.0)
        assert it.channel.problems.texts() == [
            "backfill: HTTP 503 from https://example.com/missed; messages missed after 1 are requested again"
        ]
        await it.time.advance(2.0)
        assert it.channel.problems.texts() == []
        assert told(it) == ["1", ("outage", 1), "+2"]


async def test_a_gap_that_is_filled_in_part_says_no_number() -> None:
    async with lost([2, 3], *[500] * 5, declared=plan(hold="10m")) as (it, _):
        await it.time.advance(60.0)
        assert told(it) == ["1", ("outage", None), "+2", "+3"]
        assert it.channel.problems.texts() == [
            "backfill: HTTP 500 from https://example.com/missed; messages missed after 1 were given up"
        ]


async def test_a_call_that_never_works_is_given_up_and_that_stays_stated() -> None:
    async with lost(*[500] * 5, [4], []) as (it, http):
        it.server.link.say(message(3))
        await it.time.advance(60.0)
        assert len(http.requests) == 5
        assert told(it) == ["1", ("outage", None), "3"]
        assert it.channel.problems.texts() == [
            "backfill: HTTP 500 from https://example.com/missed; messages missed after 1 were given up"
        ]
        await outage(it)
        assert told(it)[3:] == [("outage", 1), "+4"]
        assert it.channel.problems.texts() == []


async def test_a_refused_token_is_fetched_anew() -> None:
    tokens = {"session": TokenSource.model_validate({"value": "one"})}
    async with lost(
        401, [2], [], declared=plan(headers={"Authorization": "Bearer {token.session}"}), tokens=tokens
    ) as (it, http):
        await it.time.advance(1.0)
        assert [request.headers["Authorization"] for request in http.requests] == ["Bearer one"] * 3
        assert it.manager.broker.stats()["session"]["fetches"] == 2
        assert told(it) == ["1", ("outage", 1), "+2"]


async def test_where_nothing_came_before_there_is_nothing_to_begin_from(caplog: pytest.LogCaptureFixture) -> None:
    http = Http([2])
    async with scripted(plan(), http=http) as it:
        await outage(it)
        assert (told(it), http.requests) == ([("outage", None)], [])
        assert "news: backfill: nothing to begin from: none of the messages up to 0 has .id" in caplog.messages


async def test_the_times_of_a_gap_can_be_asked_by() -> None:
    http = Http([2])
    url = "https://example.com/missed?since={gap.since}&ms={gap.start:ms}&until={gap.end:rfc3339}"
    async with scripted(plan(url=url, capture={}), http=http) as it:
        await it.time.advance(0.5)
        it.server.link.say(message(1))
        await it.time.advance(9.75)
        await outage(it, 1.0)
        base = 1_764_001_000
        assert http.urls == [f"missed?since={base}&ms={base + 10}000&until=2025-11-24T16%3A16%3A52Z"]
        assert told(it) == ["1", ("outage", 1), "+2"]


async def test_what_messages_and_names_hold_cannot_lead_a_call_elsewhere() -> None:
    http = Http([2], [])
    url = "https://example.com/{param.id}/{gap.id}?x={gap.id:url}"
    async with scripted(plan("rooms/{id}", url=url), http=http) as it:
        channel = it.manager.channel("rooms/a b%2e")
        channel.start()
        await it.time.settle()
        it.server.link.say(json.dumps({"id": "@evil.com/../?#&"}))
        await outage(it)
        evil = "%40evil.com%2F..%2F%3F%23%26"
        assert http.requests[0].url == f"https://example.com/a%20b%252e/{evil}?x={evil}"


async def test_after_a_restart_of_the_manager_a_history_on_disk_goes_on_without_a_hole(tmp_path: Path) -> None:
    on_disk = replace(plan(), history=HistoryLimits(store="disk"))
    async with scripted(on_disk, http=Http(), state=tmp_path) as it:
        it.server.link.say(message(1))
    http = Http([2, 3], [])
    async with scripted(on_disk, http=http, state=tmp_path) as it:
        await until_told(it, "+3")
        assert told(it) == ["1", ("outage", 2), "+2", "+3"]
        assert http.urls == ["missed?after=1", "missed?after=3"]


async def test_a_manager_that_ends_keeps_what_it_held(tmp_path: Path) -> None:
    on_disk = replace(plan(), history=HistoryLimits(store="disk"))
    http = Http([2])
    async with scripted(on_disk, http=http, state=tmp_path) as it:
        it.server.link.say(message(1))
        http.hold = asyncio.get_running_loop().create_future()
        await outage(it)
        it.server.link.say(message(3))
    async with scripted(replace(on_disk, backfill=None), state=tmp_path) as it:
        it.server.refusals = [REFUSED]
        await until_told(it, "3")
        assert told(it)[:3] == ["1", ("outage", None), "3"]


async def test_a_reload_that_takes_the_backfill_away_lets_in_what_is_held() -> None:
    async with lost([2], held=True) as (it, _):
        it.server.link.say(message(3))
        report = it.manager.apply(replace(it.plan, channels={"news": replace(plan(), backfill=None)}))
        assert report["updated"] == ["news"]
        assert told(it) == ["1", ("outage", None), "3"]


async def test_what_the_channel_dedupes_by_counts_for_what_was_missed_too() -> None:
    http = Http([{"id": 2, "n": 1}, {"id": 3, "n": 2}], [])
    deduping = replace(plan(), dedupe=compile_path_expression(".n"))
    async with scripted(deduping, http=http) as it:
        it.server.link.say('{"id":1,"n":1}')
        await outage(it)
        assert told(it) == ["1", ("outage", 1), "+3"]
        await it.time.advance(60.0)
        it.server.link.say('{"id":3,"n":2}', '{"id":4,"n":3}')
        assert told(it)[-1] == "4"
        assert told(it).count("3") == 0


async def test_what_an_answer_to_an_earlier_gap_had_is_not_there_again() -> None:
    async with lost([2, 3, 4, 5], [], [4, 5], [], declared=plan(hold="1s"), held=True) as (it, http):
        it.server.link.say(message(3))
        await outage(it, 2.0)
        it.server.link.say(message(5))
        await it.time.advance(1.0)
        assert told(it) == ["1", ("outage", None), "3", ("outage", None), "5"]
        await http.go_on(it)
        assert told(it)[5:] == ["+2", "+4"]
        assert http.urls[2] == "missed?after=3"


async def test_what_was_found_by_then_is_let_in_where_the_rest_is_not_to_be_asked_for_any_more() -> None:
    async with lost([2, 3, 4], [5], held=True) as (it, http):
        it.server.link.say(message(4), message(6))
        first, http.hold = http.hold, asyncio.get_running_loop().create_future()
        first.set_result(None)
        await it.time.settle()
        assert (told(it), http.urls) == (["1"], ["missed?after=1", "missed?after=4"])
        it.manager.apply(replace(it.plan, channels={"news": replace(plan(), backfill=None)}))
        assert told(it) == ["1", ("outage", None), "+2", "+3", "+4", "6"], "no message is lost that came both ways"


async def test_a_backfill_that_is_taken_away_leaves_nothing_behind() -> None:
    async with lost(500) as (it, _):
        assert len(it.channel.problems.texts()) == 1
        it.manager.apply(replace(it.plan, channels={"news": replace(plan(), backfill=None)}))
        assert it.channel.problems.texts() == []
        it.server.link.say(message(7), message(7))
        assert told(it) == ["1", ("outage", None), "7", "7"], "nothing is compared by an id that nobody declares"


async def test_what_the_channel_dedupes_by_changes_no_order() -> None:
    http = Http([2, 3, 4, 5], [])
    async with scripted(replace(plan(), dedupe=compile_path_expression(".id")), http=http) as it:
        it.server.link.say(message(1))
        http.hold = asyncio.get_running_loop().create_future()
        await outage(it)
        it.server.link.say(message(4))
        await http.go_on(it)
        it.server.link.say(message(5), message(6))
        assert told(it) == ["1", ("outage", 4), "+2", "+3", "+4", "+5", "6"]
        stats = it.channel.stats()
        assert (stats["received"], stats["duplicates"], stats["backfilled"]) == (2, 2, 4)


async def test_a_server_that_asks_for_a_day_is_not_waited_for() -> None:
    busy = RequestFailed("HTTP 503 from https://example.com/missed", retry_after=86400.0)
    async with lost(busy, [4], []) as (it, _):
        it.server.link.say(message(3))
        assert told(it) == ["1", ("outage", None), "3"]
        (problem,) = it.channel.problems.texts()
        asks = "HTTP 503 from https://example.com/missed, which asks to wait for 1d"
        assert problem == f"backfill: {asks}; messages missed after 1 were given up"
        await outage(it, 2.0)
        assert told(it)[3:] == [("outage", 1), "+4"], "the next gap does not wait for it either"


async def test_gaps_that_wait_to_be_filled_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_module, "MAX_GAPS", 2)
    http = Http()
    async with scripted(plan(), http=http) as it:
        it.server.link.say(message(1))
        http.hold = asyncio.get_running_loop().create_future()
        for number in (3, 5, 7):
            await outage(it, 4.0)
            it.server.link.say(message(number))
        assert told(it) == ["1", ("outage", None), "3", ("outage", None), "5", ("outage", None), "7"]
        assert it.channel.problems.texts() == [
            "backfill: 2 gaps already wait to be filled; messages missed after 3 are not requested"
        ]


async def test_small_messages_that_are_held_are_bounded_by_what_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_module, "MAX_HELD", 1000)
    async with lost(held=True) as (it, _):
        it.server.link.say(*[""] * 20)
        assert it.channel.history.last == 21


async def test_what_no_call_can_be_made_with_is_given_up_at_once() -> None:
    http = Http([2], [])
    async with scripted(plan(url="https://example.com/missed?after={gap.id:int}"), http=http) as it:
        it.server.link.say('{"id":"x"}')
        await outage(it)
        assert told(it) == ["x", ("outage", None)]
        assert it.channel.problems.texts() == [
            "backfill: the value of '{gap.id:int}' does not fit its filter; messages missed after 1 were given up"
        ]


async def test_null_is_no_id_and_nothing_to_begin_from() -> None:
    http = Http([2, {"id": None}, {"id": None, "n": 2}], [])
    async with scripted(plan(), http=http) as it:
        it.server.link.say(message(1), '{"id":null}')
        await outage(it)
        it.server.link.say('{"id":null}')
        assert told(it) == ["1", "None", ("outage", 3), "+2", "+None", "+None", "None"]
        assert http.urls[0] == "missed?after=1"


async def test_a_binary_message_is_nothing_to_begin_from() -> None:
    http = Http([2], [])
    async with scripted(plan(), http=http) as it:
        it.server.link.say(message(1))
        it.server.link.listener.on_batch([message(9).encode()], b"b")
        await outage(it)
        assert http.urls[0] == "missed?after=1"


async def test_a_page_of_what_is_there_already_is_not_the_end() -> None:
    http = Http([3], [4, 5], [])
    async with scripted(plan(), http=http) as it:
        it.server.link.say(message(3), message(2))
        await outage(it)
        assert http.urls == [f"missed?after={number}" for number in (2, 3, 5)]
        assert told(it)[2:] == [("outage", 2), "+4", "+5"]


async def test_the_last_call_that_reaches_what_came_meanwhile_is_the_end() -> None:
    async with lost([2], [3], declared=plan(calls="2"), held=True) as (it, http):
        it.server.link.say(message(3))
        await http.go_on(it)
        assert told(it) == ["1", ("outage", 2), "+2", "+3"]
        assert it.channel.problems.texts() == []


async def test_after_a_reload_that_changes_the_id_what_is_there_is_compared_by_the_new_one() -> None:
    def both(number: int) -> dict[str, int]:
        return {"id": number, "n": number}

    http = Http([both(2)], [], [both(3), both(4)], [])
    async with scripted(plan(hold="1s"), http=http) as it:
        it.server.link.say(json.dumps(both(1)))
        http.hold = asyncio.get_running_loop().create_future()
        await outage(it)
        await outage(it, 2.0)
        it.server.link.say(json.dumps(both(3)))
        await it.time.advance(1.0)
        it.manager.apply(replace(it.plan, channels={"news": plan(hold="1s", id=".n")}))
        await http.go_on(it)
        assert told(it) == ["1", ("outage", None), ("outage", None), "3", "+2", "+4"]


@pytest.mark.parametrize("value", [".", ".."])
async def test_what_messages_hold_cannot_lead_a_call_up_a_path(value: str) -> None:
    http = Http([2], [])
    async with scripted(plan(url="https://example.com/orders/{gap.id}/missed"), http=http) as it:
        it.server.link.say(json.dumps({"id": value}))
        await outage(it)
        assert http.requests == []
        (problem,) = it.channel.problems.texts()
        assert problem.startswith(
            "backfill: a value would change the path of https://example.com/orders/{gap.id}/missed"
        )


async def test_an_id_that_no_message_has_is_stated() -> None:
    async with lost([2, 3], [], declared=plan(id=".idd")) as (it, _):
        assert told(it) == ["1", ("outage", 2), "+2", "+3"]
        assert it.channel.problems.texts() == ["backfill: no message of the answer has .idd, the declared id"]


async def test_an_error_of_our_own_is_stated_and_the_next_gap_is_filled() -> None:
    async with lost([2], RuntimeError("s3cret"), [5], []) as (it, _):
        it.server.link.say(message(4))
        assert told(it) == ["1", ("outage", None), "+2", "4"]
        assert it.channel.problems.texts() == [
            "backfill: an error of wscli itself: RuntimeError; `wscli logs` has more"
        ]
        await outage(it, 2.0)
        assert told(it)[4:] == [("outage", 1), "+5"]
        assert it.channel.problems.texts() == []


async def test_a_token_that_cannot_be_had_is_stated() -> None:
    tokens = {"session": TokenSource.model_validate({"env": "NO_SUCH_VARIABLE"})}
    async with lost([2], [], declared=plan(headers={"Authorization": "Bearer {token.session}"}), tokens=tokens) as (
        it,
        http,
    ):
        (problem,) = it.channel.problems.texts()
        assert problem.endswith("; messages missed after 1 are requested again")
        assert "'session'" in problem
        assert http.requests == []


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


async def test_a_reload_that_renames_a_parameter_counts_for_calls_too() -> None:
    http = Http([2], [])
    async with scripted(plan("rooms/{id}", url="https://example.com/{param.id}?after={gap.id}"), http=http) as it:
        it.manager.channel("rooms/7").start()
        await it.time.settle()
        it.server.link.say(message(1))
        renamed = plan("rooms/{room}", url="https://example.com/{param.room}?after={gap.id}")
        renamed = replace(renamed, params=("room",), eager=False)
        it.manager.apply(replace(it.plan, channels={renamed.name: renamed}))
        await it.time.settle()
        await outage(it)
        assert http.urls[0] == "7?after=1"


async def test_what_was_found_by_then_is_deduped_as_well() -> None:
    http = Http([{"id": 2, "n": 1}, {"id": 3, "n": 2}], [])
    deduping = replace(plan(), dedupe=compile_path_expression(".n"))
    async with scripted(deduping, http=http) as it:
        it.server.link.say('{"id":1,"n":1}')
        http.hold = asyncio.get_running_loop().create_future()
        await outage(it)
        first, http.hold = http.hold, asyncio.get_running_loop().create_future()
        first.set_result(None)
        await it.time.settle()
        it.manager.apply(replace(it.plan, channels={"news": replace(deduping, backfill=None)}))
        assert told(it) == ["1", ("outage", None), "+3"]
