"""``ping``, ``stats``, ``status``, ``logs``, ``doctor`` and ``complete``: what the manager says of itself."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace
from typing import cast

import pytest

from tests.daemon.scripted import status
from tests.daemon.served import Served
from wscli.control.frames import DATA, END
from wscli.core.states import ChannelState
from wscli.daemon.upstream.dial.steps import StepTrace
from wscli.errors import UnknownChannel
from wscli.session.actions import ChannelSession, Stepped
from wscli.transport.connection import UpgradeExchange
from wscli.version import __version__


async def test_ping_says_who_is_here(served: Served) -> None:
    await served.bring(served.calls, ChannelState.IDLE)
    answer = await served.ask("ping")
    assert answer.pop("uptime_s") >= 0
    assert answer == {
        "version": __version__,
        "instance": "app",
        "pid": os.getpid(),
        "file": "/nonexistent/app.yaml",
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


async def test_watching_begins_with_how_things_stand_and_goes_on_with_every_change(served: Served) -> None:
    async with served.stream("status", watch=True) as (answer, end):
        assert [one["state"] for one in answer["result"]["channels"]] == ["ready", "ready"]
        await served.bring(served.calls, ChannelState.WAITING)
        await end.read(until=DATA)
        assert json.loads(end.data) == served.calls.status()


async def test_logs_are_the_last_records_and_then_the_end(served: Served) -> None:
    for number in range(5):
        served.manager.logs["info"].append([b'{"message":"%d"}' % number], None)
    async with served.stream("logs", n=2) as (answer, end):
        assert answer["ok"] is True
        await end.read(until=END)
        assert end.data == b'{"message":"3"}\n{"message":"4"}\n'
        assert end.end.exit_code == 0


async def test_logs_that_are_followed_go_on(served: Served) -> None:
    async with served.stream("logs", n=0, follow=True) as (_, end):
        served.manager.logs["info"].append([b'{"message":"new"}'], None)
        await end.read(until=DATA)
        assert end.data == b'{"message":"new"}\n'


async def test_logs_of_a_level_are_exactly_that_many_and_without_one_those_that_are_written(served: Served) -> None:
    for level, log in served.manager.logs.items():
        for number in range(3):
            log.append([b'{"message":"%s %d"}' % (level.encode(), number)], None)
    for asked, level in (({"level": "debug"}, b"debug"), ({"level": "error"}, b"error"), ({}, b"info")):
        async with served.stream("logs", n=2, **asked) as (_, end):
            await end.read(until=END)
            assert end.data == b'{"message":"%b 1"}\n{"message":"%b 2"}\n' % (level, level)


async def test_doctor_tells_the_last_attempt_step_by_step(served: Served) -> None:
    served.it.server.refusals = [status(503)]
    served.calls.restart()
    await served.it.time.settle()
    last = served.calls.subscription.last_attempt
    assert last is not None
    last.timeline.peer = "192.0.2.1:443"
    last.timeline.add("tcp", 0.0123456789, "connected", ok=False)
    last.tokens["session"] = 3
    answer = await served.ask("doctor", {"channel": "calls"})
    assert answer["channel"]["channel"] == "calls"
    assert answer["url"] == "ws://192.0.2.1/ws/calls"
    assert answer["attempt"] == {
        "started": last.started,
        "peer": "192.0.2.1:443",
        "tokens": ["session"],
        "steps": [
            {"name": "budget", "seconds": 0.0, "detail": "1000/s for 'api'", "ok": True},
            {"name": "tcp", "seconds": 0.012346, "detail": "connected", "ok": False},
        ],
        "exchanges": [],
        "session": [],
        "failure": {"kind": "status", "code": 503, "text": "HTTP 503"},
    }


async def test_doctor_tells_the_steps_of_the_session_that_are_the_connections_or_the_channels(served: Served) -> None:
    last = served.calls.subscription.last_attempt
    assert last is not None
    last.keepers = (lambda: ("s3cret",),)
    said = '{"you_said":"s3cret","session_id":"x9"}'
    last.session = trace = StepTrace()
    trace.record(Stepped(None, "timers[0].do[0]", "send ping", 0.5, "pong", ok=True), 1.0)
    trace.record(Stepped(None, "hello[0]", "send auth", 0.1234567, said, ok=True), 2.0)
    trace.record(Stepped(named("calls"), "subscribe[0]", "send join", 1.0, "denied", ok=False), 3.0)
    trace.record(Stepped(named("notifications"), "subscribe[0]", "send join", 1.0, "joined", ok=True), 4.0)
    trace.record(Stepped(None, "timers[0].do[0]", "send ping", 0.25, "pong", ok=True), 5.0)
    session = (await served.ask("doctor", {"channel": "calls"}))["attempt"]["session"]
    assert [(one["channel"], one["place"], one["at"], one["ok"]) for one in session] == [
        (None, "hello[0]", 2.0, True), ("calls", "subscribe[0]", 3.0, False), (None, "timers[0].do[0]", 5.0, True),
    ]  # fmt: skip
    assert session[0] == {
        "place": "hello[0]",
        "action": "send auth",
        "channel": None,
        "at": 2.0,
        "seconds": 0.123457,
        "answer": '{"you_said":"***","session_id":"***"}',
        "ok": True,
    }
    served.remove(served.calls)
    assert trace.shown("calls", ()) == [one for one in trace.shown("", ()) if one.step.channel is None]


def named(name: str) -> ChannelSession:
    """Give a channel's part of a session."""
    return cast("ChannelSession", SimpleNamespace(name=name))


async def test_doctor_tells_what_was_asked_and_answered(served: Served) -> None:
    last = served.calls.subscription.last_attempt
    assert last is not None
    headers = (("server", "a"), ("via", "b"), ("via", "c"), ("sec-websocket-protocol", "v1"))
    last.timeline.exchanges = [
        UpgradeExchange(
            "ws://old", proxy="http://proxy:3128", headers=("Host",), subprotocols=("v1",), extensions="deflate"
        ),
        UpgradeExchange("ws://new", status=101, phrase="Switching Protocols", answer=headers),
    ]
    attempt = (await served.ask("doctor", {"channel": "calls"}))["attempt"]
    assert attempt["exchanges"] == [
        {
            "url": "ws://old",
            "proxy": "http://proxy:3128",
            "headers": ["Host"],
            "subprotocols": ["v1"],
            "extensions": "deflate",
            "answer": None,
        },
        {
            "url": "ws://new",
            "proxy": None,
            "headers": [],
            "subprotocols": [],
            "extensions": None,
            "answer": {
                "status": 101,
                "phrase": "Switching Protocols",
                "headers": {"server": "a", "via": "b, c", "sec-websocket-protocol": "v1"},
                "subprotocol": "v1",
                "extensions": None,
                "location": None,
                "body": "",
            },
        },
    ]


async def test_doctor_of_a_channel_that_was_never_dialled_has_no_attempt(served: Served) -> None:
    assert (await served.ask("doctor", {"channel": "rooms/1"}))["attempt"] is None


async def test_doctor_dials_beside_the_channel_only_when_told(served: Served) -> None:
    before = len(served.it.server.dials)
    await served.ask("doctor", {"channel": "calls"})
    assert len(served.it.server.dials) == before
    assert (await served.ask("doctor", {"channel": "calls", "dial": True}))["attempt"]["failure"] is None
    assert len(served.it.server.dials) == before + 1
    assert served.calls.state is ChannelState.READY


async def test_complete_gives_channels_and_where_templates_begin(served: Served) -> None:
    answer = await served.ask("complete")
    assert answer == {"channels": ["notifications", "calls", "rooms/"], "tokens": ["session"]}
