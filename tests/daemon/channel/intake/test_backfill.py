"""What a channel missed is requested, and stands where it belongs: after its gap, before what came later, once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.daemon.channel.intake.outages import Http, lost, message, outage, plan, problems, reload, told
from tests.daemon.scripted import REFUSED, Scripted, scripted
from wscli.daemon.channel.intake import backfill as backfill_module
from wscli.history.limits import HistoryLimits
from wscli.templates.paths import compile_path_expression

WITHOUT = replace(plan(), backfill=None)
ON_DISK = replace(plan(), history=HistoryLimits(store="disk"))
BY_N = replace(plan(), dedupe=compile_path_expression(".n"))


def both(number: int, n: int | None = None) -> dict[str, int]:
    return {"id": number, "n": number if n is None else n}


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


async def test_the_last_call_that_reaches_what_came_meanwhile_is_the_end() -> None:
    async with lost([2], [3], declared=plan(calls="2"), held=True) as (it, http):
        it.server.link.say(message(3))
        await http.go_on(it)
        assert told(it) == ["1", ("outage", 2), "+2", "+3"]
        assert problems(it) == []


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
    monkeypatch.setattr(backfill_module, "MAX_HELD", 200)  # of three small messages, most is overhead
    async with lost([2], [], held=True) as (it, http):
        it.server.link.say(message(3))
        it.server.link.say(message(4))
        assert told(it) == ["1"]
        it.server.link.say(message(5))
        assert told(it) == ["1", ("outage", None), "3", "4", "5"]
        await http.go_on(it)
        assert told(it)[-1] == "+2"


async def test_gaps_that_wait_to_be_filled_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill_module, "MAX_GAPS", 2)
    async with lost(held=True) as (it, _):
        for number in (3, 5):
            it.server.link.say(message(number))
            await outage(it, 4.0)
        it.server.link.say(message(7))
        assert told(it) == ["1", ("outage", None), "3", ("outage", None), "5", ("outage", None), "7"]
        flapping, bounded = problems(it)
        assert flapping.startswith("connection: lost 3 times in the last minute: ")
        assert bounded == "backfill: 2 gaps already wait to be filled; messages missed after 3 are not requested"


async def test_an_outage_while_an_answer_is_awaited_is_a_gap_of_its_own() -> None:
    async with lost([2], [], [4], [], declared=plan(hold="1m"), held=True) as (it, http):
        it.server.link.say(message(3))
        await outage(it, 2.0)
        it.server.link.say(message(5))
        assert told(it) == ["1"]
        await http.go_on(it)
        assert told(it) == ["1", ("outage", 1), "+2", "3", ("outage", 1), "+4", "5"]
        assert http.urls == [f"missed?after={number}" for number in (1, 2, 3, 4)]


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


async def test_a_null_id_is_never_a_duplicate() -> None:
    first = (message(1), '{"id":null}')
    async with lost([2, {"id": None}, {"id": None, "n": 2}], [], first=first) as (it, http):
        it.server.link.say('{"id":null}')
        assert told(it) == ["1", "None", ("outage", 3), "+2", "+None", "+None", "None"]
        assert http.urls[0] == "missed?after=1", "nor does a call begin from it"


async def test_after_a_restart_of_the_manager_a_history_on_disk_goes_on_without_a_hole(tmp_path: Path) -> None:
    async with scripted(ON_DISK, http=Http(), state=tmp_path) as it:
        it.server.link.say(message(1))
    http = Http([2, 3], [])
    async with scripted(ON_DISK, http=http, state=tmp_path) as it:
        await until_told(it, "+3")
        assert told(it) == ["1", ("outage", 2), "+2", "+3"]
        assert http.urls == ["missed?after=1", "missed?after=3"]


async def test_a_manager_that_ends_keeps_what_it_held(tmp_path: Path) -> None:
    async with lost([2], declared=ON_DISK, held=True, state=tmp_path) as (it, _):
        it.server.link.say(message(3))
    async with scripted(replace(ON_DISK, backfill=None), state=tmp_path) as it:
        it.server.refusals = [REFUSED]
        await until_told(it, "3")
        assert told(it)[:3] == ["1", ("outage", None), "3"]


async def test_what_the_channel_dedupes_by_counts_for_what_was_missed_too() -> None:
    async with lost([both(2, 1), both(3, 2)], [], declared=BY_N, first=('{"id":1,"n":1}',)) as (it, _):
        assert told(it) == ["1", ("outage", 1), "+3"]
        await it.time.advance(60.0)
        it.server.link.say('{"id":3,"n":2}', '{"id":4,"n":3}')
        assert told(it)[-1] == "4"
        assert told(it).count("3") == 0


async def test_what_the_channel_dedupes_by_changes_no_order() -> None:
    by_id = replace(plan(), dedupe=compile_path_expression(".id"))
    async with lost([2, 3, 4, 5], [], declared=by_id, held=True) as (it, http):
        it.server.link.say(message(4))
        await http.go_on(it)
        it.server.link.say(message(5), message(6))
        assert told(it) == ["1", ("outage", 4), "+2", "+3", "+4", "+5", "6"]
        stats = it.channel.stats()
        assert (stats["received"], stats["duplicates"], stats["backfilled"]) == (2, 2, 4)


async def test_a_reload_that_takes_the_backfill_away_lets_in_what_is_held() -> None:
    async with lost([2], held=True) as (it, _):
        it.server.link.say(message(3))
        assert reload(it, WITHOUT)["updated"] == ["news"]
        assert told(it) == ["1", ("outage", None), "3"]


async def test_a_reload_that_takes_the_backfill_away_lets_in_what_was_found_by_then() -> None:
    async with lost([2, 3, 4], [5], held=True) as (it, http):
        it.server.link.say(message(4), message(6))
        await http.go_on(it, once=True)
        assert (told(it), http.urls) == (["1"], ["missed?after=1", "missed?after=4"])
        reload(it, WITHOUT)
        assert told(it) == ["1", ("outage", None), "+2", "+3", "+4", "6"], "no message is lost that came both ways"


async def test_what_was_found_by_then_is_deduped_as_well() -> None:
    answer = [both(2, 1), both(3, 2)]
    async with lost(answer, [], declared=BY_N, first=('{"id":1,"n":1}',), held=True) as (it, http):
        await http.go_on(it, once=True)
        reload(it, replace(BY_N, backfill=None))
        assert told(it) == ["1", ("outage", None), "+3"]


async def test_a_backfill_that_is_taken_away_leaves_nothing_behind() -> None:
    async with lost(500) as (it, _):
        assert len(problems(it)) == 1
        reload(it, WITHOUT)
        assert problems(it) == []
        it.server.link.say(message(7), message(7))
        assert told(it) == ["1", ("outage", None), "7", "7"], "nothing is compared by an id that nobody declares"


async def test_after_a_reload_that_changes_the_id_what_is_there_is_compared_by_the_new_one() -> None:
    answers, first = ([both(2)], [], [both(3), both(4)], []), (json.dumps(both(1)),)
    async with lost(*answers, declared=plan(hold="1s"), first=first, held=True) as (it, http):
        await outage(it, 2.0)
        it.server.link.say(json.dumps(both(3)))
        await it.time.advance(1.0)
        reload(it, plan(hold="1s", id=".n"))
        await http.go_on(it)
        assert told(it) == ["1", ("outage", None), ("outage", None), "3", "+2", "+4"]
