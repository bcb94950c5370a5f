"""Kill the manager, or cut the connection, over and over, and have servers forget: nothing that they have is lost.

A gap is recorded where the server did not resume, and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.live import all_in, live
from tests.e2e.victim import dies, recorded
from tests.presets.cases import CASES, Case
from tests.presets.sockets import Address, served
from tests.waiting import eventually
from wscli.core.states import ChannelState

KILLS = [5, pytest.param(100, marks=[pytest.mark.soak, pytest.mark.timeout(600)])]


@dataclass(frozen=True)
class Resuming:
    """How a server numbers what it says, and forgets."""

    preset: str
    say: Callable[[Any, int], None]
    knows: Callable[[Any], bool]
    """Whether it keeps what is said."""
    forget: Callable[[Any], None] | None
    """None: it never resumes."""


def _forget_centrifugo(server: Any) -> None:
    server.epoch += "'"
    server.streams.clear()


def _forget_mattermost(server: Any) -> None:
    server.connections.clear()
    server.name = ""


RESUMING = [
    Resuming(
        "discord", lambda server, n: server.dispatch("MESSAGE_CREATE", {"n": n}),
        lambda server: server.session in server.sessions, lambda server: server.sessions.clear(),
    ),
    Resuming(
        "mattermost", lambda server, n: server.event("posted", n=n), lambda server: server.name in server.connections,
        _forget_mattermost,
    ),
    Resuming(
        "centrifugo", lambda server, n: server.publish("news", {"n": n}), lambda server: bool(server.dialled),
        _forget_centrifugo,
    ),
    Resuming(
        "twitch", lambda server, n: server.notify("channel.follow", {"n": n}),
        lambda server: bool(server.subscriptions), None,
    ),
]  # fmt: skip


@asynccontextmanager
async def ticking(server: Any, how: Resuming) -> AsyncIterator[None]:
    """Have the server say something each millisecond, numbered."""

    async def tick() -> None:
        number = 0
        while True:
            await asyncio.sleep(0.001)
            if how.knows(server):
                number += 1
                how.say(server, number)

    task = asyncio.ensure_future(tick())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _number(message: Any) -> int | None:
    """Find the number in a message."""
    if isinstance(message, dict):
        return message["n"] if "n" in message else next(filter(None, map(_number, message.values())), None)
    return None


def check(found: list[Any], most_gaps: int) -> int:
    """Check that numbers follow each other but where a gap is, once each; count the gaps."""
    gaps, before, free = 0, None, True
    for one in found:
        if isinstance(one, str):
            assert one == "outage"
            gaps, free = gaps + 1, True
        elif (number := _number(one)) is not None:
            assert before is None or number > before, "repeated"
            assert free or number == (before or 0) + 1, "lost without a gap"
            before, free = number, False
    assert gaps <= most_gaps, "a gap where the server resumed"
    return gaps


def _file(case: Case, address: Address, *, disk: bool) -> str:
    file = json.loads(address.file(case))
    if disk:
        file["channels"]["main"]["history"] = {"store": "disk", "sync": "normal", "keep": "1000000"}
    return json.dumps(file)


def _case(how: Resuming) -> Case:
    return next(case for case in CASES if case.preset == how.preset)


@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.parametrize("how", RESUMING, ids=lambda how: how.preset)
async def test_a_manager_that_is_killed_goes_on_where_its_disk_is(how: Resuming, kills: int, tmp_path: Path) -> None:
    case = _case(how)
    server = case.server()
    async with served(server) as address, ticking(server, how):
        (tmp_path / "wscli.yaml").write_text(_file(case, address, disk=True))
        forget = how.forget
        forgotten = await dies(tmp_path, kills, None if forget is None else lambda: forget(server))
    found = json.loads((tmp_path / "history").read_text())
    if how.forget is None:
        assert check(found, kills) >= kills // 2
    else:  # one that was killed before it wrote down its new session begins another one
        assert forgotten <= check(found, forgotten + kills // 3)


@pytest.mark.parametrize("kills", KILLS)
@pytest.mark.parametrize("how", RESUMING, ids=lambda how: how.preset)
async def test_a_connection_that_is_cut_is_resumed_without_a_gap_unless_the_server_forgot(
    how: Resuming, kills: int, tmp_path: Path
) -> None:
    case = _case(how)
    server = case.server()
    forgotten = 0
    async with (
        served(server) as address,
        ticking(server, how),
        live(tmp_path, _file(case, address, disk=False)) as manager,
    ):
        (channel,) = manager.channels()
        for number in range(kills + 1):
            await all_in(manager, ChannelState.READY)
            before = channel.counters.received
            await eventually(lambda before=before: channel.counters.received > before + 3)
            if number == kills:
                break
            for socket in address.links:
                socket._req.transport.abort()
            if how.forget is not None and number % 5 == 4:
                how.forget(server)
                forgotten += 1
            await eventually(lambda number=number: channel.counters.connects == number + 2)
        found = await recorded(channel)
    gaps = kills if how.forget is None else forgotten
    assert check(found, gaps) == gaps
