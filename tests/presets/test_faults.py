"""Servers that misbehave: nonsense, everything twice, intervals that are none. A clear reason, and no busy loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.presets.cases import CASES, Case
from tests.presets.client import Client
from tests.presets.files import preset_file
from tests.presets.servers.discord import DiscordGateway

Make = Callable[..., Client]
NONSENSE = ["nonsense", '{"a":', "[]", "null", "7", '""', '{"type":{},"id":[],"op":"x","event":7}', '[[],{},"EVENT"]']


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.preset)
def test_what_makes_no_sense_is_passed_over(case: Case, client: Make) -> None:
    server = case.server()
    one = client(case.file(), server)
    hello = server.on_open

    def on_open(dialled: Any) -> None:
        _talk_nonsense(server)
        hello(dialled)
        _talk_nonsense(server)

    if case.preset != "nats":  # whose first line must be INFO
        server.on_open = on_open
    one.dial("main")
    _talk_nonsense(server)
    case.publish(server)
    one.advance(0)
    assert one.members["main"].ready, one.reason
    assert one.members["main"].shown[-1] == case.shown
    assert one.verdict is None, one.reason


def _talk_nonsense(server: Any) -> None:
    for text in NONSENSE:
        if hasattr(server, "write"):
            server.write(f"{text}\r\n")
        else:
            server.line.send(text)
            server.line.send(text.encode() + b"\xff")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.preset)
def test_a_server_may_say_everything_twice(case: Case, client: Make) -> None:
    server = case.server()
    one = client(case.file(), server)
    once = one.say

    def twice(message: str | bytes) -> None:
        once(message)
        once(message)

    one.say = twice  # type: ignore[method-assign]
    one.dial("main")
    case.publish(server)
    one.advance(0)
    assert one.members["main"].ready, one.reason
    assert case.shown in one.members["main"].shown
    assert one.verdict is None, one.reason


INTERVALS = [0, -1, -40000, 1e-9, 31_536_000_000, 10**40]
"""What a server may give as a number; a year is among them."""


@pytest.mark.parametrize("interval", [*INTERVALS, None, "soon", {}, True], ids=repr)
def test_a_beat_whose_interval_makes_no_sense_makes_no_busy_loop(interval: Any, client: Make) -> None:
    class Gateway(DiscordGateway):
        def on_open(self, dialled: Any) -> None:
            self.beats, self.opened = [], self.line.now()
            self.say({"op": 10, "d": {"heartbeat_interval": interval}})

    server = Gateway()
    one = client(preset_file("discord", {"main": {"intents": 1}}, tokens=("discord",)), server).dial("main")
    one.advance(60)
    assert len(server.beats) <= 120  # what `limits.send` lets out in a minute
    assert one.verdict is None or one.reason.startswith(("timers[0]", "hello[0]")), one.reason


WATCHED = {"twitch": "keepalive", "appsync": "timeout", "pusher": "activity", "centrifugo": "ping"}


@pytest.mark.parametrize("interval", INTERVALS, ids=repr)
@pytest.mark.parametrize("preset", WATCHED)
def test_a_watchdog_whose_interval_makes_no_sense_sleeps_or_says_so(preset: str, interval: float, client: Make) -> None:
    case = next(case for case in CASES if case.preset == preset)
    server = case.server()
    setattr(server, WATCHED[preset], interval)
    server.faults.add("deaf")
    one = client(case.file(), server).dial("main")
    one.advance(3)
    assert one.verdict is None or one.reason.startswith("timers["), one.reason
    assert len(server.heard) < 100
