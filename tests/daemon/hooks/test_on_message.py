"""``on_message``: which messages a command runs for, how many at once, and how a slow one lags."""

from __future__ import annotations

import json
from pathlib import Path

from tests.daemon.hooks.hooked import hooked, sh
from tests.daemon.scripted import channel_plan
from tests.waiting import eventually
from wscli.history.limits import HistoryLimits

COPY = sh("cat >> out")


async def test_a_command_reads_the_record_of_tail_json(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_message=COPY) as it:
        it.server.link.say("one", '{"n": 2}', "\u00fcber\n")
        records = await it.until_lines(3)
        assert [one["data"] for one in records] == ["one", '{"n": 2}', "\u00fcber\n"]
        assert records[0] == {
            "channel": "news",
            "epoch": it.channel.history.epoch,
            "seq": 1,
            "ts": round(it.time.wall(), 6),
            "type": "text",
            "data": "one",
        }
        await eventually(lambda: it.stats() == {"runs": 3, "failures": 0, "lagged": 0, "not_json": 0, "running": 0})
        assert it.channel.problems.texts() == []


async def test_a_binary_message_is_base64(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_message=COPY) as it:
        it.server.link.listener.on_batch([b"\x00\xff"], b"b")
        (record,) = await it.until_lines(1)
        assert (record["type"], record["encoding"], record["data"]) == ("binary", "base64", "AP8=")


async def test_one_at_a_time_keeps_the_order(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_message=COPY) as it:
        it.server.link.say(*map(str, range(30)))
        assert [one["seq"] for one in await it.until_lines(30)] == list(range(1, 31))


async def test_no_more_than_parallel_run_at_once(tmp_path: Path) -> None:
    wait = sh("echo x >> started; while [ ! -e go ]; do sleep 0.01; done; cat >> out", parallel=3)
    async with hooked(tmp_path, on_message=wait) as it:
        it.server.link.say(*map(str, range(8)))
        await eventually(lambda: len(it.lines("started")) == 3)
        assert it.stats()["running"] == 3
        assert it.stats()["runs"] == 3
        (tmp_path / "go").touch()
        assert sorted(one["seq"] for one in await it.until_lines(8)) == list(range(1, 9))


async def test_a_command_runs_for_the_messages_that_fit(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_message=COPY.model_copy(update={"jq": "select(.n > 1)"})) as it:
        it.server.link.say('{"n": 1}', '{"n": 2}', "{}", '{"n": 3}')
        records = await it.until_lines(2)
        await eventually(lambda: it.stats()["runs"] == 2 and not it.stats()["running"])
        assert [json.loads(one["data"])["n"] for one in records] == [2, 3]
        assert it.stats()["failures"] == 0


async def test_what_is_not_json_does_not_match_and_is_counted(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_message=COPY.model_copy(update={"jq": "true"})) as it:
        it.server.link.say("hello", "NaN", '{"a": 1} {"a": 2}', "")
        it.server.link.listener.on_batch([b"1"], b"b")
        it.server.link.say("7")
        assert [one["data"] for one in await it.until_lines(1)] == ["7"]
        assert it.stats()["not_json"] == 5
        assert it.channel.problems.texts() == []


async def test_an_expression_that_fails_on_a_message_is_a_problem_until_it_works_on_one(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_message=COPY.model_copy(update={"jq": ".type.deeper"})) as it:
        it.server.link.say('{"type": "x"}')
        await eventually(lambda: it.channel.problems.texts())
        assert it.channel.problems.texts()[0].startswith("on_message: jq: Cannot index string with string ")
        assert (it.stats()["failures"], it.stats()["runs"]) == (1, 0)
        it.server.link.say("{}")
        await it.until_problem()


async def test_a_slow_hook_lags_alone_and_what_it_misses_is_a_problem_until_it_has_caught_up(tmp_path: Path) -> None:
    slow = sh("echo x >> started; n=$(wc -l < started); while [ ! -e go$n ]; do sleep 0.01; done; cat >> out")
    async with hooked(tmp_path, on_message=slow, history=HistoryLimits(keep=2)) as it:
        it.server.link.say("0")
        await eventually(lambda: it.stats()["running"])
        for number in range(1, 9):
            it.server.link.say(str(number))
        assert it.server.link.reading, "upstream is never held back for a hook"
        assert (it.channel.history.last, it.stats()["lagged"]) == (9, 0)
        (tmp_path / "go1").touch()
        await it.until_problem("on_message: missed 6 messages: the hook is too slow")
        await eventually(lambda: len(it.lines("started")) == 2)
        assert it.channel.problems.texts()
        (tmp_path / "go2").touch()
        (tmp_path / "go3").touch()
        await it.until_problem()
        assert [one["data"] for one in await it.until_lines(3)] == ["0", "7", "8"]
        assert (it.stats()["runs"], it.stats()["lagged"]) == (3, 6)


async def test_a_hook_neither_opens_a_lazy_channel_nor_counts_as_a_reader(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_message=COPY, eager=False) as it:
        assert it.channel.snapshot.state == "idle"
        assert not it.channel.in_use
        with it.channel.use():
            await it.time.settle()
            it.server.link.say("one")
            await it.until_lines(1)
            assert it.channel.readers == 0
        await it.time.advance(1)
        assert it.channel.state == "idle"


async def test_filtering_many_messages_lets_other_tasks_run(tmp_path: Path) -> None:
    expression = "[range(2000)] | length == 0"
    async with hooked(tmp_path, on_message=COPY.model_copy(update={"jq": expression})) as it:
        it.server.link.say(*["1"] * 500)
        turns = 0
        seen = it.hooks._hooks[it.channel]["on_message"].events

        def behind() -> bool:
            nonlocal turns
            turns += 1
            return seen._cursor.seq == 500  # type: ignore[attr-defined]  # of MessageEvents

        await eventually(behind)
        assert turns > 3


async def test_each_channel_of_a_template_has_its_own_hooks(tmp_path: Path) -> None:
    plan = channel_plan("rooms/{id}", on_message=sh('echo "\\"$WSCLI_CHANNEL\\"" >> out'), eager=False)
    async with hooked(tmp_path) as it:
        it.reload(channel_plan(), plan)
        for name in ("rooms/1", "rooms/2"):
            with it.manager.channel(name).use():
                await it.time.settle()
                it.server.links[-1].say("hello")
        assert sorted(await it.until_lines(2)) == ["rooms/1", "rooms/2"]
