"""``on_state``: one run a change of the state, in order, however slow the command is."""

from __future__ import annotations

import os
from pathlib import Path

from tests.daemon.hooks.hooked import hooked, sh
from tests.daemon.scripted import REFUSED, closed
from tests.waiting import eventually
from wscli.daemon.hooks.events import MOST_CHANGES

COPY = sh("cat >> out")


async def test_a_command_reads_the_object_of_status_json(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_state=COPY) as it:
        opening = await it.until_lines(3)
        assert [one["state"] for one in opening] == ["connecting", "handshaking", "ready"]
        assert opening[-1] == it.channel.status()
        it.server.refusals = [REFUSED]
        it.server.link.end(closed(4000))
        lost = it.channel.status()
        await it.time.advance(4)
        states = await it.until_lines(9)
        assert states[3] == lost
        assert [one["state"] for one in states[3:]] == [
            "waiting", "connecting", "waiting", "connecting", "handshaking", "ready",
        ]  # fmt: skip


async def test_a_change_other_than_of_the_state_runs_nothing(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_state=COPY) as it:
        await it.until_lines(3)
        it.channel.problems.state("disk", "is full")
        it.channel.pause()
        assert [one["state"] for one in await it.until_lines(4)][3:] == ["paused"]
        await eventually(lambda: not it.stats("on_state")["running"])
        assert it.stats("on_state")["runs"] == 4


async def test_changes_are_queued_and_the_oldest_is_dropped_beyond_the_limit(tmp_path: Path) -> None:
    slow = sh("while [ ! -e go ]; do sleep 0.01; done; cat >> out")
    async with hooked(tmp_path, on_state=slow) as it:
        await eventually(lambda: it.stats("on_state")["running"] == 1)
        assert it.channel.state == "ready"  # two changes wait
        for _ in range(MOST_CHANGES // 4):  # paused, connecting, handshaking, ready
            it.channel.pause()
            it.channel.resume()
            await it.time.settle()
        assert it.stats("on_state") == {"runs": 1, "failures": 0, "lagged": 2, "not_json": 0, "running": 1}
        await it.until_problem("on_state: 2 changes dropped: the hook is too slow")
        (tmp_path / "go").touch()
        states = [one["state"] for one in await it.until_lines(MOST_CHANGES + 1)]
        assert states == ["connecting", *["paused", "connecting", "handshaking", "ready"] * (MOST_CHANGES // 4)]
        await it.until_problem()


async def test_the_environment_names_channel_instance_and_hook(tmp_path: Path) -> None:
    (tmp_path / "handle").write_text("#!/bin/sh\nenv > env.$WSCLI_HOOK\npwd > where\n")
    (tmp_path / "handle").chmod(0o700)
    plan = sh("")
    plan = type(plan)(exec=("./handle", "$HOME"))
    async with hooked(tmp_path, on_state=plan) as it:
        await eventually(lambda: (it.stats("on_state")["runs"], it.stats("on_state")["running"]) == (3, 0))
        found = dict(line.rstrip("\n").partition("=")[::2] for line in it.lines("env.on_state"))
        assert {name: found.get(name) for name in ("WSCLI_CHANNEL", "WSCLI_INSTANCE", "WSCLI_HOOK")} == {
            "WSCLI_CHANNEL": "news",
            "WSCLI_INSTANCE": "app",
            "WSCLI_HOOK": "on_state",
        }
        assert found["PATH"] == os.environ["PATH"]
        assert "WATCHDOG_USEC" not in found
        assert it.lines("where") == [f"{tmp_path}\n"]
