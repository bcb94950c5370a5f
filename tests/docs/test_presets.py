"""docs/presets.md has every preset with its document, its tokens and values; its recipes load and work."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.presets.client import Client
from tests.presets.servers.base import Dialled, ScriptedServer
from wscli.config.loading import load
from wscli.config.presets import preset_init
from wscli.session.preset import preset_names, preset_text

PAGE = (Path(__file__).parents[2] / "docs" / "presets.md").read_text()
VARIABLES = dict.fromkeys(
    re.findall(r"\$\{(\w+)\}", PAGE + "".join(preset_text(name) for name in preset_names())), "good"
)
RECIPES = dict(
    zip(
        ("binance", "listen keys", "coinbase", "kraken", "mastodon", "jetstream", "alpaca", "ais", "socket.io 2"),
        re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL),
        strict=True,
    )
)
Recipe = Callable[..., Client]


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    def make(name: str, server: ScriptedServer) -> Client:
        return Client(RECIPES[name], server, tmp_path, VARIABLES)

    return make


def _rows(name: str) -> list[list[str]]:
    lines = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_in_the_tables_with_its_document_its_tokens_and_its_values(name: str) -> None:
    covered, said = _rows(name)
    text = preset_text(name).partition("\nx-init:")[0]
    used = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert len(covered) == 5
    assert all(url.rstrip(")") in text for url in re.findall(r"\((https://[^)]+)\)", covered[1]))
    for token in set(re.findall(r"token\.(\w+)", used)):
        assert f"`{token}`" in said[1]
    for value in set(re.findall(r"\bwith\.(\w+)", used)):
        assert f"`{value}" in said[2], value
    assert set(re.findall(r"with\.(\w+)", used)) or said[2] == "none"


def test_a_server_of_others_proves_a_preset_where_the_table_says_so() -> None:
    tests = (Path(__file__).parents[1] / "e2e").glob("test_presets_*.py")
    proved = {name for file in tests for name in re.findall(r"^\"\"\".*?preset ``(.*?)``", file.read_text())}
    said = {name for name in preset_names() if _rows(name)[0][4] != "scripted server"}
    assert said == proved


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_names_its_document_first_and_has_no_code(name: str) -> None:
    head = preset_text(name).partition("\n\n")[0]
    assert head.startswith("# ")
    assert "https://" in head or name == "json-subscribe"


@pytest.mark.parametrize("name", preset_names())
def test_the_file_that_init_writes_loads_with_what_it_asks_for(name: str, tmp_path: Path) -> None:
    file = tmp_path / "wscli.yaml"
    file.write_text(preset_init(name))
    plan = load(file, VARIABLES)
    assert plan.channels
    assert plan.warnings == ()


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_loads_without_warnings(name: str, tmp_path: Path) -> None:
    file = tmp_path / "wscli.yaml"
    file.write_text(RECIPES[name])
    assert load(file, VARIABLES).warnings == ()


def test_binance_takes_several_streams_on_one_connection(recipe: Recipe) -> None:
    class Binance(ScriptedServer):
        def on_message(self, message: Any) -> None:
            self.say({"result": None, "id": message["id"]})

    server = Binance()
    one = recipe("binance", server).dial("btc", "eth")
    server.say({"stream": "ethusdt@aggTrade", "data": {"p": "1"}})
    one.advance(0)
    assert [one.members[name].shown for name in ("btc", "eth")] == [[], [{"p": "1"}]]


def test_binance_gets_a_listen_key_and_keeps_it_alive(recipe: Recipe) -> None:
    class Binance(ScriptedServer):
        def on_http(self, method: str, *_: Any) -> tuple[int, Any]:
            return 200, {"listenKey": f"key{len(self.requests)}"}

    server = Binance()
    one = recipe("listen keys", server).dial("orders")
    assert server.dialled[0].url == "wss://fstream.binance.com/ws/key1"
    one.advance(3601)
    assert [(method, headers["X-MBX-APIKEY"]) for method, _, headers, _ in server.requests[1:]] == [("PUT", "good")] * 2
    server.say({"e": "listenKeyExpired"})
    one.advance(0)
    assert one.verdict is not None
    assert one.verdict.action == "reconnect"


def test_coinbase_signs_each_subscription_and_counts(recipe: Recipe) -> None:
    class Coinbase(ScriptedServer):
        def on_message(self, message: Any) -> None:
            assert message["jwt"] == "signed"
            if message["channel"] not in self.faults:
                self.say({"channel": "subscriptions", "sequence_num": len(self.heard) - 1, "events": []})

    server = Coinbase()
    client = recipe("coinbase", server)
    client.commands = {"coinbase-jwt": {"jwt": "signed"}}
    server.faults.add("ticker")
    assert not client.dial("ticker").members["ticker"].ready
    server.faults.clear()
    one = client.dial("ticker")
    for number in (2, 5):
        server.say({"channel": "ticker", "sequence_num": number})
    one.advance(0)
    assert one.members["ticker"].gaps == [("skipped", 2)]
    one.advance(5.1)
    assert one.verdict is not None


def test_kraken_refuses_one_symbol_alone(recipe: Recipe) -> None:
    class Kraken(ScriptedServer):
        def on_message(self, message: Any) -> None:
            good = message["params"]["symbol"] == ["BTC/USD"]
            self.say({"method": "subscribe", "success": good, "req_id": message["req_id"]})

    server = Kraken()
    one = recipe("kraken", server).dial("btc", "eth")
    server.say({"channel": "ticker", "type": "update", "data": [{"symbol": "BTC/USD", "last": 1}]})
    server.say({"channel": "heartbeat"})
    one.advance(0)
    assert one.members["eth"].verdict is not None
    assert len(one.members["btc"].shown) == 1


def test_mastodon_shows_what_is_json_within_json(recipe: Recipe) -> None:
    class Mastodon(ScriptedServer):
        def on_open(self, dialled: Dialled) -> None:
            assert self.bearer(dialled.headers)

    server = Mastodon()
    one = recipe("mastodon", server).dial("home", "cats")
    server.say({"stream": ["hashtag", "cats"], "event": "update", "payload": '{"id":"1"}'})
    server.say({"stream": ["user"], "event": "delete", "payload": "7"})
    one.advance(0)
    assert [one.members[name].shown for name in ("home", "cats")] == [[7], [{"id": "1"}]]


def test_jetstream_goes_on_from_its_cursor_without_a_gap(recipe: Recipe) -> None:
    server = ScriptedServer()
    one = recipe("jetstream", server).dial("posts")
    server.say({"time_us": 1725911162329308, "kind": "commit"})
    one.advance(0)
    one.lose()
    one.dial()
    assert [dialled.query.get("cursor") for dialled in server.dialled] == [None, "1725911162329308"]
    assert one.members["posts"].resumed
    server.say({"time_us": 1725911162329308, "kind": "commit"})
    one.advance(0)
    assert len(one.members["posts"].shown) == 1


def test_alpaca_makes_each_element_of_a_list_a_message(recipe: Recipe) -> None:
    class Alpaca(ScriptedServer):
        def on_open(self, dialled: Dialled) -> None:
            self.say([{"T": "success", "msg": "connected"}])

        def on_message(self, message: Any) -> None:
            if message["action"] == "auth":
                self.say([{"T": "success", "msg": "authenticated"}])
            else:
                assert "quotes" not in message
                self.say([{"T": "subscription", "trades": message["trades"]}])

    server = Alpaca()
    one = recipe("alpaca", server).dial("stocks")
    server.say([{"T": "t", "S": "AAPL"}, {"T": "b", "S": "MSFT"}])
    one.advance(0)
    assert [message["S"] for message in one.members["stocks"].shown] == ["AAPL", "MSFT"]


def test_ais_stream_sends_its_key_in_time_and_knows_a_refusal(recipe: Recipe) -> None:
    server = ScriptedServer()
    one = recipe("ais", server).dial("harbour")
    assert server.heard[0]["APIKey"] == "good"
    server.line.send(b'{"MessageType": "PositionReport"}')
    server.say({"error": "Api Key Is Not Valid"})
    one.advance(0)
    assert one.members["harbour"].shown == [{"MessageType": "PositionReport"}]
    assert one.verdict is not None
    assert one.verdict.action == "reauth"
