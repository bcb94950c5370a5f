"""The preset ``signalr`` with aiosignalr."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.presets import fetches_a_refused_token_again, ready_only_once_answered, running
from tests.processes import Wscli
from tests.servers.signalr import SignalR

pytestmark = pytest.mark.timeout(300)  # the first one installs the servers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignalR]:
    with SignalR(tmp_path_factory.mktemp("signalr")) as started:
        yield started


def config(server: SignalR) -> str:
    return f"""
endpoints: {{hub: {{preset: signalr, url: "{server.url}"}}}}
channels:
  a: {{endpoint: hub, with: {{target: message, join: join, arguments: [a], leave: leave}}}}
  secret: {{endpoint: hub, with: {{target: message, join: join, arguments: [secret]}}}}
"""


def test_calls_arrive_and_rooms_are_joined_again_after_a_kill(wscli: Wscli, server: SignalR) -> None:
    with running(wscli, config(server)) as it:
        for count in (1, 2):
            it.manager.wait_for("a")
            it.until_state("secret", "failed")
            assert it.connections() == (1, 1)
            server.order(publish={"room": "a", "text": f"{count}"})
            shown = json.loads(it.messages("a", count=count)[-1])
            assert (shown["target"], shown["arguments"]) == ("message", [{"room": "a", "text": f"{count}"}])
            if count == 1:
                server.kill()
                it.until_state("a", "waiting")
                server.start()


def test_a_request_is_an_invocation_and_its_reply_the_completion(wscli: Wscli, server: SignalR) -> None:
    with running(wscli, config(server)) as it:
        assert it.ask("a", {"target": "echo", "arguments": [[1]]})["result"] == {"echo": [1]}


def test_it_is_not_ready_before_the_handshake_and_the_join_are_answered(wscli: Wscli, server: SignalR) -> None:
    text = config(server).replace(f":{server.port}", ":PORT")
    ready_only_once_answered(wscli, text, server.port, "a")


def test_a_refused_token_is_fetched_again(wscli: Wscli, server: SignalR) -> None:
    def restart() -> None:
        assert wscli("stop", "a").returncode == 0
        assert wscli("start", "a").returncode == 0

    fetches_a_refused_token_again(wscli, server, config(server), source="signalr", channel="a", lose=restart)
