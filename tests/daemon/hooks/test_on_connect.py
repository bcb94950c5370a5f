"""``on_connect``: one run for each new connection, which is ready once the command has ended well."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.daemon.hooks.hooked import Hooked, hooked, sh
from tests.daemon.scripted import channel_plan, closed
from tests.waiting import eventually
from wscli.config.models.hooks import ConnectHook
from wscli.config.models.upstream import Rotate
from wscli.core.states import ChannelState as S

HOURLY = Rotate(max_age=3600.0)


def command(script: str, **more: float) -> ConnectHook:
    return ConnectHook(exec=("sh", "-c", script), **more)


SUBSCRIBES = command("while [ ! -e go ]; do sleep 0.01; done; rm go; cat >> out; echo subscribe; printf more")
"""It waits until the test has looked at what is so before it ends."""


async def until_ready(it: Hooked) -> None:
    await eventually(lambda: it.channel.state is S.READY)


async def until_state(it: Hooked, state: S) -> None:
    await eventually(lambda: it.channel.state is state)


async def test_its_lines_are_sent_before_the_connection_is_ready(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_connect=SUBSCRIBES) as it:
        assert it.channel.state is S.HANDSHAKING
        it.server.link.say("early")
        (tmp_path / "go").touch()
        await until_ready(it)
        assert it.server.link.sent == [(b"subscribe", False), (b"more", False)]
        assert it.channel.history.last == 1
        (event,) = await it.until_lines(1)
        assert (event["channel"], event["state"]) == ("news", "handshaking")
        assert (event["connection"], event["successor"]) == (1, False)
        assert it.channel.stats()["sent"] == 2
        assert it.stats("on_connect") == {"runs": 1, "failures": 0, "lagged": 0, "not_json": 0, "running": 0}


async def test_it_runs_on_a_successor_before_that_takes_over(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_connect=SUBSCRIBES, rotate=HOURLY) as it:
        (tmp_path / "go").touch()
        await until_ready(it)
        first = it.server.link
        while len(it.server.links) == 1:
            await it.time.advance(1.0)
        second = it.server.links[-1]
        assert it.channel.connection is first, "the old one is used until the command has ended"
        first.say("meanwhile")
        (tmp_path / "go").touch()
        await eventually(lambda: it.channel.connection is second)
        assert second.sent == [(b"subscribe", False), (b"more", False)]
        assert it.channel.history.last == 1
        assert [event["successor"] for event in await it.until_lines(2)] == [False, True]
        assert it.channel.stats()["gaps"] == {}


async def test_a_command_that_fails_fails_the_connection(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_connect=command("echo no topic >&2; exit 3")) as it:
        await until_state(it, S.WAITING)
        await eventually(lambda: it.server.links == [])
        reason = it.channel.status()["reason"]
        assert reason == {"code": "hook", "text": "on_connect: exited with 3: no topic"}
        assert it.channel.problems.texts() == ["on_connect: exited with 3: no topic"]
        record = it.channel.subscription.last_attempt
        assert record is not None
        assert record.failure is not None, "what `doctor` shows"


async def test_a_command_that_fails_on_a_successor_leaves_the_connection_alone(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_connect=command("test ! -e failing"), rotate=HOURLY) as it:
        await until_ready(it)
        first = it.server.link
        (tmp_path / "failing").touch()
        await it.time.advance(3601)
        await eventually(lambda: "rotates again later" in it.channel.status()["reason"]["text"])
        assert (it.channel.state, it.channel.connection) == (S.READY, first)


async def test_a_command_of_a_connection_that_ended_is_killed(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_connect=command("echo 1 >> out; exec sleep 600", timeout=600.0)) as it:
        await it.until_lines(1)
        it.server.link.end(closed(1012))
        await until_state(it, S.WAITING)
        await eventually(lambda: it.stats("on_connect")["running"] == 0)
        assert it.channel.status()["reason"]["code"] == "close:1012"


async def test_a_line_that_is_not_utf_8_fails_the_connection(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_connect=command(r"printf 'a\n\377\n'")) as it:
        await until_state(it, S.WAITING)
        assert it.channel.status()["reason"]["text"] == "on_connect: line 2 of its output is not UTF-8"


async def test_a_message_of_the_command_goes_over_its_own_connection(tmp_path: Path) -> None:
    """What ``wscli send`` asks for in the command."""
    waits = command("echo $WSCLI_CONNECTION >> out; while [ ! -e go ]; do sleep 0.01; done")
    async with hooked(tmp_path, on_connect=waits) as it:
        await it.until_lines(1)
        assert it.lines() == ["1\n"]
        await it.channel.send(b"subscribe", binary=False, timeout=5.0, preparing=1)
        assert it.server.link.sent == [(b"subscribe", False)]
        other = asyncio.ensure_future(it.channel.send(b"other", binary=False, timeout=60.0))
        await asyncio.sleep(0)
        (tmp_path / "go").touch()
        await until_ready(it)
        await other
        await it.channel.send(b"later", binary=False, timeout=5.0, preparing=1)
        assert [payload for payload, _ in it.server.link.sent] == [b"subscribe", b"other", b"later"]


async def test_a_reload_adds_changes_and_removes_it(tmp_path: Path) -> None:
    async with hooked(tmp_path) as it:
        assert it.channel.state is S.READY
        for sent, hook in ((b"one", command("echo one")), (b"two", command("echo two")), (None, None)):
            it.reload(channel_plan(on_connect=hook))
            it.channel.restart()
            await it.time.settle()
            await until_ready(it)
            assert it.server.link.sent == ([] if sent is None else [(sent, False)])


async def test_on_state_is_told_of_a_connection_that_a_rotation_brought(tmp_path: Path) -> None:
    async with hooked(tmp_path, on_state=sh("cat >> out"), rotate=HOURLY) as it:
        await it.until_lines(3)
        await it.time.advance(3601)
        states = await it.until_lines(4)
        assert [one["state"] for one in states] == ["connecting", "handshaking", "ready", "ready"]
