"""Hooks follow the file; a hook's failure is stated, and affects nothing else."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from tests.daemon.hooks.hooked import alive, hooked, sh
from tests.daemon.scripted import channel_plan
from tests.waiting import eventually
from wscli.config.models.gateway import GatewayAuth, GatewayPlan
from wscli.config.models.hooks import MessageHook, StateHook
from wscli.tokens.models import TokenSource
from wscli.values import Secret

TOKEN: TypeAdapter[TokenSource] = TypeAdapter(TokenSource)

COPY = sh("cat >> out")


async def test_a_hook_that_fails_is_a_problem_until_it_succeeds(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_message=sh("[ -e well ] || { echo oh >&2; exit 3; }")) as it:
        it.server.link.say("one")
        await it.until_problem("on_message: exited with 3: oh")
        assert it.channel.status()["problems"] == ["on_message: exited with 3: oh"]
        assert it.stats()["failures"] == 1
        (tmp_path / "well").touch()
        it.server.link.say("two")
        await it.until_problem()
        assert (it.stats()["runs"], it.stats()["failures"]) == (2, 1)


async def test_a_failure_is_quoted_without_secrets(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_message=sh("echo key hunter2, gateway sesame, token t0ken >&2; exit 3")) as it:
        gateway = GatewayPlan(auth=GatewayAuth(token=Secret("sesame")))
        tokens = {"t": TOKEN.validate_python({"value": "t0ken"})}
        it.manager.apply(replace(it.plan, variables={"PASSWORD": "hunter2"}, gateway=gateway, tokens=tokens))
        await it.manager.broker.get("t")
        it.server.link.say("one")
        await it.until_problem("on_message: exited with 3: key ***, gateway ***, token ***")


async def test_failures_are_stated_at_most_once_a_second(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with hooked(tmp_path, on_message=sh("read x; echo $x >&2; exit 1")) as it:
        it.server.link.say(*map(str, range(20)))
        await eventually(lambda: it.stats()["failures"] == 20)
        assert len([one for one in caplog.records if one.levelno == logging.WARNING]) == 1
        assert '"seq":1,' in it.channel.problems.texts()[0]
        await it.time.advance(1)
        assert '"seq":20,' in it.channel.problems.texts()[0]


async def test_a_hanging_hook_delays_nothing(tmp_path: Path) -> None:
    async with hooked(
        tmp_path, on_message=MessageHook(exec=("sleep", "1000")), on_state=StateHook(exec=("sleep", "1000"))
    ) as it:
        it.server.link.say(*map(str, range(1000)))
        await eventually(lambda: it.stats()["running"] and it.stats("on_state")["running"])
        assert it.channel.history.last == 1000
        assert it.channel.state == "ready"
        await it.channel.send(b"x", binary=False, timeout=1)


async def test_a_reload_changes_a_hook_without_a_dial_and_loses_no_message(tmp_path: Path) -> None:
    slow = sh("echo x >> started; while [ ! -e go ]; do sleep 0.01; done; cat >> old")
    async with hooked(tmp_path, on_message=slow) as it:
        it.server.link.say("one", "two", "three")
        await eventually(lambda: it.lines("started"))
        report = it.reload(channel_plan(on_message=COPY))
        assert (report["updated"], report["restarted"]) == (["news"], [])
        (tmp_path / "go").touch()
        assert [one["data"] for one in await it.until_lines(2)] == ["two", "three"]
        assert [one["data"] for one in await it.until_lines(1, "old")] == ["one"]
        assert len(it.server.dials) == 1


async def test_a_reload_adds_a_hook_for_later_events_and_removes_it(tmp_path: Path) -> None:
    async with hooked(tmp_path) as it:
        assert it.channel.stats()["hooks"] == {}
        it.server.link.say("before")
        it.reload(channel_plan(on_message=COPY, on_state=COPY))
        it.server.link.say("after")
        assert [one["data"] for one in await it.until_lines(1)] == ["after"]
        await eventually(lambda: not it.stats()["running"])
        assert it.stats("on_state")["runs"] == 0
        it.reload(channel_plan())
        it.server.link.say("late")
        it.channel.pause()
        await it.time.settle()
        assert it.channel.stats()["hooks"] == {}
        assert len(it.lines()) == 1


async def test_removing_a_hook_kills_its_command_and_withdraws_its_problem(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_message=sh("echo $$ > pid; [ -s bad ] && exit 1; sleep 1000; true")) as it:
        (tmp_path / "bad").write_text("x")
        it.server.link.say("one")
        await it.until_problem("on_message: exited with 1")
        (tmp_path / "bad").unlink()
        (tmp_path / "pid").unlink()
        it.server.link.say("two")
        await eventually(lambda: it.lines("pid"))
        it.reload(channel_plan())
        assert it.channel.problems.texts() == []
        await eventually(lambda: not alive(int(it.lines("pid")[0])))


async def test_a_removed_channels_hooks_end(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_message=sh("echo $$ > pid; sleep 1000; true"), on_state=COPY) as it:
        it.server.link.say("one")
        await eventually(lambda: it.lines("pid"))
        await it.until_lines(3)
        it.reload()
        await eventually(lambda: not alive(int(it.lines("pid")[0])))
        await eventually(lambda: len(it.hooks._tasks) == 0)
        assert [one["state"] for one in await it.until_lines(3)] == ["connecting", "handshaking", "ready"]


async def test_an_expression_that_does_not_compile_is_stated(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_message=COPY.model_copy(update={"jq": "("})) as it:
        (problem,) = it.channel.problems.texts()
        assert problem.startswith("on_message: jq does not compile: syntax error, unexpected ")
        assert "\n" not in problem
        it.server.link.say("one")
        await it.time.settle()
        assert it.stats()["runs"] == 0
        it.reload(channel_plan(on_message=COPY))
        assert it.channel.problems.texts() == []
        assert [one["data"] for one in await it.until_lines(1)] == ["one"]


async def test_a_hook_that_crashes_is_stated_and_goes_on_with_the_next_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hooked(tmp_path, on_message=COPY) as it:
        with monkeypatch.context() as broken:
            broken.setattr("wscli.daemon.hooks.events.encode_batch", lambda *_: 1 / 0)
            it.server.link.say("one")
            await eventually(lambda: it.channel.problems.texts())
        assert it.channel.problems.texts() == [
            "on_message: an error of wscli itself: ZeroDivisionError; `wscli logs` has more"
        ]
        assert it.channel.state == "ready"
        it.server.link.say("two")
        await it.time.advance(1)
        assert [one["data"] for one in await it.until_lines(1)] == ["two"]
        await it.until_problem()
        assert it.stats()["runs"] == 1


async def test_an_error_of_the_hooks_is_stated_and_affects_no_channel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hooked(tmp_path, on_state=COPY) as it:
        await it.until_lines(3)
        with monkeypatch.context() as broken:
            broken.setattr("wscli.daemon.hooks.events.StateEvents.state_changed", lambda _: 1 / 0)
            it.channel.pause()
        assert it.channel.state == "paused"
        assert it.channel.problems.texts() == [
            "hooks: an error of wscli itself: ZeroDivisionError; `wscli logs` has more"
        ]
        it.channel.resume()
        await it.time.settle()
        assert (await it.until_lines(6))[-1]["state"] == "ready"


async def test_closing_kills_running_commands_and_starts_none(tmp_path: Path) -> None:
    stubborn = sh("trap '' TERM; echo $$ >> pids; sleep 1000; true", parallel=4)
    async with hooked(tmp_path, on_message=stubborn, on_state=sh("cat >> out")) as it:
        await it.until_lines(3)
        it.server.link.say(*map(str, range(9)))
        await eventually(lambda: len(it.lines("pids")) == 4)
        began = asyncio.get_running_loop().time()
        await asyncio.gather(it.hooks.close(), it.manager.close())
        assert asyncio.get_running_loop().time() - began < 30, "a second, on a machine that does nothing else"
        assert not any(alive(int(line)) for line in it.lines("pids"))
        assert len(it.lines("pids")) == 4
        assert len(it.lines()) == 3
