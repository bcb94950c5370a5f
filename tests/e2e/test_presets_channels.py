"""Django Channels under daphne, which wants no session: the preset ``json-subscribe`` without a subscription."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.presets import fetches_a_refused_token_again, running
from tests.processes import Wscli
from tests.servers.channels_daphne import ChannelsDaphne

pytestmark = pytest.mark.timeout(300)  # the first one installs the servers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChannelsDaphne]:
    with ChannelsDaphne(tmp_path_factory.mktemp("channels")) as started:
        yield started


def config(server: ChannelsDaphne, token: str = "") -> str:
    base = f"ws://127.0.0.1:{server.port}/ws"
    origin = server.origin[1]
    return f"""
endpoints: {{app: {{preset: json-subscribe, url: "{base}", headers: {{Origin: "{origin}"}}{token}}}}}
channels:
  a: {{endpoint: app, path: /a/}}
  rooms/{{room}}: {{endpoint: app, path: "/{{room}}/"}}
"""


def test_rooms_are_entered_again_after_the_server_was_killed(wscli: Wscli, server: ChannelsDaphne) -> None:
    with running(wscli, config(server)) as it:
        it.manager.wait_for("a", "rooms/b")
        server.order(publish={"room": "a", "text": "one"})
        assert it.messages("a", count=1) == ['{"room": "a", "text": "one"}']
        answer = it.ask("rooms/b", {"id": 7, "echo": "hi"}, "--match", ".id == 7")
        assert answer == {"id": 7, "echo": "hi"}

        server.kill()
        it.until_state("a", "waiting")
        server.start()
        it.manager.wait_for("a")
        server.order(publish={"room": "a", "text": "two"})
        assert it.messages("a", count=2) == ['{"room": "a", "text": "one"}', '{"room": "a", "text": "two"}']


def test_it_is_not_ready_before_the_upgrade_is_answered(wscli: Wscli, server: ChannelsDaphne) -> None:
    server.order(hold=True)
    with running(wscli, config(server)) as it:
        it.until_state("a", "connecting")
        server.order(release=True)
        it.manager.wait_for("a")


def test_a_refused_token_is_fetched_again(wscli: Wscli, server: ChannelsDaphne) -> None:
    def restart() -> None:
        assert wscli("restart", "a").returncode == 0

    text = config(server, ', query: {token: "{token.t}"}')
    fetches_a_refused_token_again(wscli, server, text, source="t", channel="a", lose=restart)
