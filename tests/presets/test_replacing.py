"""A server that asks for another connection: the next one is ready before this one closes, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.live import all_in, live
from tests.e2e.victim import recorded
from tests.presets.cases import CASES
from tests.presets.sockets import served
from tests.presets.test_kills import Resuming, ticking
from tests.waiting import eventually
from wscli.core.states import ChannelState

ROUNDS = 5


def _texts(found: list[Any]) -> list[int]:
    return [int(one["event"]["text"]) for one in found if isinstance(one, dict)]


def _numbers(found: list[Any]) -> list[int]:
    return [one["n"] for one in found if isinstance(one, dict)]


ASKING = [
    (
        Resuming("slack", lambda server, n: server.event(f"e{n}", str(n)), lambda server: bool(server.dialled), None),
        lambda server: server.ask_to_go("refresh_requested"),
        _texts,
    ),
    (
        Resuming(
            "twitch", lambda server, n: server.notify("channel.follow", {"n": n}, f"m{n}"),
            lambda server: bool(server.subscriptions), None,
        ),
        lambda server: server.ask_to_go(),
        _numbers,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("how", "ask", "read"), ASKING, ids=lambda one: getattr(one, "preset", ""))
async def test_each_message_of_both_connections_arrives_once(
    how: Resuming, ask: Callable[[Any], None], read: Callable[[list[Any]], list[int]], tmp_path: Path
) -> None:
    case = next(case for case in CASES if case.preset == how.preset)
    server = case.server()
    async with served(server) as address:
        file = json.loads(address.file(case))
        file["backoff"]["default"]["reset_after"] = "20ms"  # such a verdict is carried out once per health
        async with live(tmp_path, json.dumps(file)) as manager, ticking(server, how):
            (channel,) = manager.channels()
            await all_in(manager, ChannelState.READY)
            for number in range(ROUNDS):
                before = channel.counters.received
                await eventually(lambda before=before: channel.counters.received > before + 30)
                await eventually(lambda: channel.subscription.healthy)
                ask(server)
                await eventually(lambda number=number: len(server.dialled) == number + 2)
                await eventually(lambda: len(address.links) == 1)
                assert channel.state == "ready"
            before = channel.counters.received
            await eventually(lambda: channel.counters.received > before + 30)
            found = await recorded(channel)
    got = read(found)
    assert sorted(got) == list(range(got[0], got[0] + len(got))), "lost or doubled"
    assert [one for one in found if isinstance(one, str)] == [], "a gap, though nothing was missed"
