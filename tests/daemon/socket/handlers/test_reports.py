"""``ping``, ``stats``, ``status``, ``logs``, ``doctor``, ``complete``, ``down``: what the manager says of itself."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from tests.daemon.framed import FarEnd
from tests.daemon.served import Served, served
from tests.waiting import eventually
from wscli.control.frames import DATA, END
from wscli.control.protocol import PROTOCOL
from wscli.core.events import Failure, FailureKind
from wscli.core.states import ChannelState
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.errors import UnknownChannel
from wscli.version import __version__

__all__ = ["served"]


async def test_ping_says_who_is_here(served: Served) -> None:
    await served.manager.known["calls"].become(ChannelState.IDLE)
    answer = await served.ask("ping")
    assert answer.pop("uptime_s") >= 0
    assert answer == {
        "version": __version__,
        "instance": "app",
        "pid": os.getpid(),
        "file": "/nowhere/app.yaml",
        "channels": 2,
        "ready": 1,
    }


async def test_stats_and_status_are_of_all_channels_or_of_the_named_ones(served: Served) -> None:
    assert list((await served.ask("stats"))["channels"]) == ["notifications", "calls"]
    assert list((await served.ask("stats", {"channels": ["calls"]}))["channels"]) == ["calls"]
    answer = await served.ask("status", {"channels": ["calls"]})
    assert answer["instance"] == "app"
    assert [one["channel"] for one in answer["channels"]] == ["calls"]
    for verb in ("stats", "status"):
        with pytest.raises(UnknownChannel):
            await served.ask(verb, {"channels": ["nowhere"]})


@asynccontextmanager
async def streaming(served: Served, verb: str, **args: Any) -> AsyncIterator[tuple[dict[str, Any], FarEnd]]:
    with served.dial() as sock:
        sock.sendall(json.dumps({"v": PROTOCOL, "verb": verb, "args": args}).encode() + b"\n")
        sock.setblocking(False)

        line = bytearray()

        def whole() -> bool:
            try:
                line.extend(sock.recv(1))
            except BlockingIOError:
                return False
            return line.endswith(b"\n")

        await eventually(whole)
        yield json.loads(line), FarEnd(sock)


async def test_watching_begins_with_how_things_stand_and_goes_on_with_every_change(served: Served) -> None:
    served.manager.changes.append([b'{"channel":"calls","state":"waiting"}'], None)
    async with streaming(served, "status", watch=True) as (answer, end):
        assert [one["state"] for one in answer["result"]["channels"]] == ["ready", "ready"]
        served.manager.changes.append([b'{"channel":"calls","state":"ready"}'], None)
        await end.read(until=DATA)
        assert end.data == b'{"channel":"calls","state":"ready"}\n'


async def test_logs_are_the_last_records_and_then_the_end(served: Served) -> None:
    for number in range(5):
        served.manager.log.append([b'{"message":"%d"}' % number], None)
    async with streaming(served, "logs", n=2) as (answer, end):
        assert answer["ok"] is True
        await end.read(until=END)
        assert end.data == b'{"message":"3"}\n{"message":"4"}\n'
        assert end.end.exit_code == 0


async def test_logs_that_are_followed_go_on(served: Served) -> None:
    async with streaming(served, "logs", n=0, follow=True) as (_, end):
        served.manager.log.append([b'{"message":"new"}'], None)
        await end.read(until=DATA)
        assert end.data == b'{"message":"new"}\n'


def record(*, failed: bool = False) -> AttemptRecord:
    made = AttemptRecord(started=1764000000.0, tokens={"session": 3})
    made.timeline.peer = "192.0.2.1:443"
    made.timeline.add("tcp", 0.0123456789, "connected", ok=not failed)
    if failed:
        made.failure = Failure(FailureKind.STATUS, "HTTP 503", code=503)
    return made


async def test_doctor_tells_the_last_attempt_step_by_step(served: Served) -> None:
    served.manager.known["calls"].subscription = SimpleNamespace(last_attempt=record(failed=True))
    answer = await served.ask("doctor", {"channel": "calls"})
    assert answer["channel"]["channel"] == "calls"
    assert answer["url"] == "wss://example.com/ws"
    assert answer["attempt"] == {
        "started": 1764000000.0,
        "peer": "192.0.2.1:443",
        "tokens": ["session"],
        "steps": [{"name": "tcp", "seconds": 0.012346, "detail": "connected", "ok": False}],
        "failure": {"kind": "status", "code": 503, "text": "HTTP 503"},
    }


async def test_doctor_of_a_channel_that_was_never_dialled_has_no_attempt(served: Served) -> None:
    assert (await served.ask("doctor", {"channel": "calls"}))["attempt"] is None


async def test_doctor_dials_beside_the_channel_only_when_told(served: Served) -> None:
    dialled: list[str] = []

    async def dial_once(channel: Any) -> AttemptRecord:
        dialled.append(channel.name)
        return record()

    served.manager.dial_once = dial_once  # type: ignore[attr-defined]
    await served.ask("doctor", {"channel": "calls"})
    assert dialled == []
    assert (await served.ask("doctor", {"channel": "calls", "dial": True}))["attempt"]["failure"] is None
    assert dialled == ["calls"]


async def test_complete_gives_channels_and_where_templates_begin(served: Served) -> None:
    answer = await served.ask("complete")
    assert answer == {"channels": ["notifications", "calls", "rooms/"], "tokens": ["session"]}


async def test_down_is_answered_before_it_happens(served: Served) -> None:
    assert await served.ask("down") == {"pid": os.getpid()}
    assert served.manager.stopping.is_set()
