"""Every block of docs/sessions.md, added to those before it, loads, and does what the page says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.docs.newsroom import Newsroom
from tests.presets.client import Client
from tests.presets.servers.base import ScriptedServer
from wscli.config.loading import load
from wscli.session.models import SessionModel, StepModel

PAGE = (Path(__file__).parents[2] / "docs" / "sessions.md").read_text()
PARTS = re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
KINDS = ("session", "step")
NAMES = [name for name, _ in PARTS]
Grown = Callable[..., Client]


def _added(whole: Any, part: Any, depth: int = 0) -> Any:
    """Put a block into the file; of a session each key replaces the whole."""
    if not isinstance(whole, dict) or not isinstance(part, dict) or depth > 3:
        return part
    return whole | {key: _added(whole.get(key), value, depth + 1) for key, value in part.items()}


def _file(upto: str) -> str:
    whole: Any = {}
    for name, block in PARTS[: NAMES.index(upto) + 1]:
        del name
        whole = _added(whole, yaml.safe_load(block))
    return json.dumps(whole)


@pytest.fixture
def grown(tmp_path: Path) -> Grown:
    def make(upto: str, server: ScriptedServer) -> Client:
        return Client(_file(upto), server, tmp_path, {"NEWSROOM_TOKEN": "good"})

    return make


@pytest.mark.parametrize("name", NAMES)
def test_each_block_can_be_added_to_those_before_it(name: str, tmp_path: Path) -> None:
    file = tmp_path / "wscli.yaml"
    file.write_text(_file(name))
    assert load(file, {"NEWSROOM_TOKEN": "good"}).channels


def test_log_in(grown: Grown) -> None:
    server = Newsroom()
    one = grown("Log in", server).dial("prices")
    assert one.ready
    one.tokens["newsroom"] = "stale"
    one.dial()
    assert one.verdict is not None
    assert one.verdict.action == "reauth"
    server.faults.add("mute")
    one.dial().advance(10)
    assert one.reason in PAGE, one.reason


def test_subscribe(grown: Grown) -> None:
    server = Newsroom()
    one = grown("Subscribe", server).dial("prices")
    assert one.members["prices"].ready
    one.leave("prices")
    assert server.subscriptions == {}
    server.faults.add("quiet")
    assert not grown("Subscribe", server).dial("prices").members["prices"].ready


def test_route_and_show(grown: Grown) -> None:
    server = Newsroom()
    one = grown("Say whose message it is, and what of it to show", server).dial("prices")
    server.publish("prices", {"gold": 1})
    server.say({"type": "message", "subscription": 99, "body": {}})
    one.advance(0)
    assert one.members["prices"].shown == [{"gold": 1}]
    assert one.unrouted.messages == 1


def test_share(grown: Grown) -> None:
    server = Newsroom()
    one = grown("Put many channels on one connection", server).dial("prices", "weather")
    server.publish("prices", 1)
    server.publish("weather", 2)
    one.advance(0)
    assert [one.members[name].shown for name in ("prices", "weather")] == [[1], [2]]
    assert len(server.dialled) == 1
    one.leave("weather")
    assert list(server.subscriptions.values()) == ["prices"]


def test_heartbeats(grown: Grown) -> None:
    server = Newsroom()
    one = grown("Heartbeats", server).dial("prices")
    began = one.clock.now
    one.advance(60)
    assert [at - began for at in server.beats] == [30, 60]
    server.say({"type": "ping"})
    one.advance(0)
    assert server.heard[-1] == {"type": "pong"}
    server.faults.add("deaf")
    one.advance(41)
    assert one.verdict is not None
    assert one.verdict.action == "reconnect"


def test_what_programs_send(grown: Grown) -> None:
    one = grown("What programs send", Newsroom()).dial("prices")
    assert one.request("prices", {"type": "get", "what": "headlines"})["value"] == "headlines"


def test_count(grown: Grown) -> None:
    server = Newsroom()
    one = grown("Count", server).dial("prices")
    for number in (4, 5, 8):
        server.publish("prices", number, number=number)
    one.advance(0)
    assert one.members["prices"].gaps == [("skipped", 2)]


def test_take_a_lost_session_up_again(grown: Grown) -> None:
    server = Newsroom()
    one = grown("Take a lost session up again", server).dial("prices")
    server.publish("prices", 1, number=1)
    one.advance(0)
    one.lose()
    server.publish("prices", 2, number=2)
    one.dial()
    assert one.resumed
    assert one.members["prices"].shown == [1, 2]
    one.hang_up()
    assert server.close_codes[-1] == 4000
    server.sessions.clear()
    one.dial()
    assert one.verdict is not None
    assert one.verdict.action == "fresh"


def test_acknowledge_what_you_have(grown: Grown) -> None:
    server = Newsroom()
    one = grown("Acknowledge what you have", server).dial("prices")
    one.acknowledging = False
    server.unacknowledged.add("a1")
    server.publish("prices", 1, number=1, ack="a1")
    one.advance(0)
    assert server.unacknowledged == {"a1"}
    one.commit()
    assert server.unacknowledged == set()


def test_before_the_dial(grown: Grown) -> None:
    class Ticketed(ScriptedServer):
        def on_http(self, *request: Any) -> tuple[int, Any]:
            return 200, {"url": "wss://eu.example.com/t/1"}

    server = Ticketed()
    grown("Before the dial", server).dial("tickets")
    assert [one.url for one in server.dialled] == ["wss://eu.example.com/t/1"]


def test_protocols_that_are_not_json(grown: Grown) -> None:
    class Lines(ScriptedServer):
        def split(self, message: str | bytes) -> list[Any]:
            return [message]

        def on_message(self, message: str) -> None:
            if message.startswith("SUB"):
                self.line.send("OK")
                self.line.send("MSG prices gold 1")
                self.line.send("PING")

    server = Lines()
    one = grown("Protocols that are not JSON", server).dial("line")
    assert one.members["line"].shown == ["gold 1"]
    assert server.heard == ["SUB prices", "PONG"]


def test_every_key_is_explained() -> None:
    reference = PAGE.partition("# Reference")[2]
    session, step = (
        reference.partition(f"## The keys of a {what}")[2].partition("\n## ")[0] for what in ("session", "step")
    )
    for key in SessionModel.model_fields:
        assert f"`{key}`" in session, key
    for key in StepModel.model_fields:
        assert f"`{key}" in step, key
