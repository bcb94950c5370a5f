"""Kill the manager, or the server, over and over: what the server still has is not lost, nothing comes twice.

A gap is recorded where the server did not resume, and nowhere else.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml
from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from tests.daemon.upstream.session.live import heard, live_plan, managed, messages, say, serving
from tests.e2e.victim import dies
from tests.waiting import eventually

RESUMING = """
hello:
  - send: {op: login}
    expect: {op: welcome}
    keep: {sid: .sid, seq: .seq}
resume:
  needs: [sid, seq]
  hello:
    - send: {op: resume, sid: "{var.sid}", seq: "{var.seq}"}
      expect: [{match: {op: resumed}}, {match: {op: invalid}, then: fresh}]
rules: [{match: {op: event}, keep: {seq: .seq}}]
route: {op: event}
close: 4000
"""
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
        api = {"url": server.url, "session": yaml.safe_load(RESUMING)}
        news = {"endpoint": "api", "history": {"store": "disk", "sync": "normal", "keep": "1000000"}}
        file = {"version": 1, "name": "app", "endpoints": {"api": api}, "channels": {"news": news}}
        (tmp_path / "wscli.yaml").write_text(json.dumps(file))
        forgotten = await dies(tmp_path, kills, spoken.forget)
        ticking.cancel()
    found = [one if one == "outage" else one["seq"] for one in json.loads((tmp_path / "history").read_text())]
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
            await eventually(lambda number=number: channel.counters.connects == number + 1)
            before = channel.history.last
            await eventually(lambda before=before: channel.history.last > before)
            await asyncio.sleep(chance.uniform(0.0, 0.02))
            await server.kill()
            if number % 5 == 4:
                spoken.forget()
                forgotten += 1
            await server.start()
        await eventually(lambda: channel.counters.connects == kills + 1)
        await eventually(lambda: spoken.welcomes == forgotten + 1)
        before = channel.history.last
        await eventually(lambda: channel.history.last > before + 5)
        ticking.cancel()
        found = [one["seq"] if isinstance(one, dict) else one[0] for one in messages(channel)]
        check(found, spoken.welcomes)
        assert [one for one in found if one == "outage"] == ["outage"] * forgotten
