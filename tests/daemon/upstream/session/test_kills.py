"""Kill the manager, or the server, over and over: what the server still has is not lost, nothing comes twice.

A gap is recorded where the server did not resume, and nowhere else.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from tests.daemon.upstream.session.live import heard, live_plan, managed, messages, say, serving, until
from tests.daemon.upstream.session.victim import RESUMING
from tests.waiting import eventually

KILLS = [10, pytest.param(100, marks=[pytest.mark.soak, pytest.mark.timeout(600)])]


class ResumingServer:
    """Numbers its events, and resumes a session that it knows with those that were missed."""

    def __init__(self) -> None:
        self.events = 0
        self.sids: dict[str, None] = {}
        self.welcomes = self.resumes = 0
        self._numbers = itertools.count(1)

    def forget(self) -> None:
        """Forget every session."""
        self.sids.clear()

    async def speak(self, connection: ServerConnection) -> None:
        while True:
            asked = await heard(connection)
            if asked["op"] == "login":
                sid = f"s{next(self._numbers)}"
                self.sids[sid] = None
                self.welcomes += 1
                seq = self.events
                await say(connection, {"op": "welcome", "sid": sid, "seq": seq})
                break
            if asked["sid"] in self.sids:
                self.resumes += 1
                seq = asked["seq"]
                await say(connection, {"op": "resumed"})
                break
            await say(connection, {"op": "invalid"})
        while connection.state is State.OPEN:
            while seq < self.events:
                seq += 1
                await say(connection, {"op": "event", "seq": seq})
            await asyncio.sleep(0.001)

    async def tick(self) -> None:
        """Make events, a few each millisecond."""
        while True:
            await asyncio.sleep(0.001)
            self.events += 2


def check(found: list[Any], logins: int) -> None:
    """Check that numbers follow each other but where a gap is, and that there is a gap for each further log-in."""
    runs: list[list[int]] = [[]]
    for one in found:
        if isinstance(one, int):
            runs[-1].append(one)
        else:
            assert one == "outage"
            runs.append([])
    for run in runs:
        assert run == list(range(run[0], run[0] + len(run))) if run else True, "lost or repeated without a gap"
    numbers = [one for one in found if isinstance(one, int)]
    assert numbers == sorted(set(numbers))
    assert len(runs) - 1 <= logins - 1, "a gap where the server resumed"


@pytest.mark.parametrize("kills", KILLS)
async def test_a_manager_that_is_killed_goes_on_where_its_disk_is(tmp_path: Path, kills: int) -> None:
    spoken = ResumingServer()
    async with serving(spoken.speak) as server:
        ticking = asyncio.ensure_future(spoken.tick())
        module = "tests.daemon.upstream.session.victim"
        victim = await asyncio.create_subprocess_exec(
            sys.executable, "-m", module, str(tmp_path), str(server.port), str(kills), "7",
            cwd=Path(__file__).parents[4], stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert victim.stdout is not None
        assert victim.stdin is not None
        forgotten = 0
        while life := await victim.stdout.readline():
            if int(life) % 5 == 4:
                spoken.forget()
                forgotten += 1
            victim.stdin.write(b"go\n")
        assert await victim.wait() == 0
        ticking.cancel()
    found = json.loads((tmp_path / "history").read_text())
    check(found, spoken.welcomes)
    assert spoken.resumes >= kills // 2
    assert len([one for one in found if one == "outage"]) >= forgotten > 0


@pytest.mark.parametrize("kills", KILLS)
async def test_a_server_that_is_killed_is_resumed_without_a_gap_unless_it_forgot(kills: int) -> None:
    spoken, chance = ResumingServer(), random.Random(3)
    async with serving(spoken.speak) as server, managed(live_plan("news", server.url, RESUMING)) as manager:
        channel = manager.channel("news")
        ticking = asyncio.ensure_future(spoken.tick())
        forgotten = 0
        for number in range(kills):
            await until(channel, "ready")
            before = channel.history.last
            await eventually(lambda before=before: channel.history.last > before)
            await asyncio.sleep(chance.uniform(0.0, 0.02))
            await server.kill()
            if number % 5 == 4:
                spoken.forget()
                forgotten += 1
            await server.start()
        await until(channel, "ready")
        await eventually(lambda: spoken.welcomes == forgotten + 1)
        before = channel.history.last
        await eventually(lambda: channel.history.last > before + 5)
        ticking.cancel()
        found = [one["seq"] if isinstance(one, dict) else one[0] for one in messages(channel)]
        check(found, spoken.welcomes)
        assert [one for one in found if one == "outage"] == ["outage"] * forgotten
