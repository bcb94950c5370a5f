"""The preset ``actioncable`` with Action Cable of Rails."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.presets import fetches_a_refused_token_again, running
from tests.processes import Wscli
from tests.servers.actioncable import ActionCable


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ActionCable]:
    with ActionCable(tmp_path_factory.mktemp("actioncable")) as started:
        yield started


def config(server: ActionCable) -> str:
    rooms = "".join(
        f"  {room}: {{endpoint: app, with: {{identifier: {{channel: RoomChannel, room: {room}}}}}}}\n"
        for room in ("a", "b", "secret")
    )
    origin = server.origin[1]
    return f"""
endpoints: {{app: {{preset: actioncable, url: "{server.url}", headers: {{Origin: "{origin}"}}}}}}
channels:
{rooms}"""


def test_rooms_share_a_connection_and_are_subscribed_again_after_a_kill(wscli: Wscli, server: ActionCable) -> None:
    with running(wscli, config(server)) as it:
        it.manager.wait_for("a", "b")
        it.until_state("secret", "failed")
        assert it.connections() == (1, 1)
        for room in ("a", "b"):
            server.order(publish={"room": room, "text": f"in {room}"})
        assert it.messages("a", count=1) == ['{"text":"in a"}']
        assert it.messages("b", count=1) == ['{"text":"in b"}']

        server.kill()
        it.until_state("a", "waiting")
        server.start()
        it.manager.wait_for("a", "b")
        server.order(publish={"room": "a", "text": "back"})
        assert it.messages("a", count=2) == ['{"text":"in a"}', '{"text":"back"}']


def test_an_action_is_sent_and_its_answer_is_a_message(wscli: Wscli, server: ActionCable) -> None:
    with running(wscli, config(server)) as it:
        answer = it.ask("a", {"action": "echo", "id": 7, "text": "hi"}, "--match", ".id == 7")
        assert answer == {"id": 7, "echo": "hi"}


def test_it_is_not_ready_before_the_welcome(wscli: Wscli, server: ActionCable) -> None:
    server.order(hold=True)
    with running(wscli, config(server)) as it:
        it.until_state("a", "handshaking", "welcome")
        server.order(release=True)
        it.manager.wait_for("a", "b")


def test_a_refused_token_is_fetched_again(wscli: Wscli, server: ActionCable) -> None:
    text = config(server)
    fetches_a_refused_token_again(
        wscli, server, text, source="actioncable", channel="a", lose=lambda: server.order(disconnect=True)
    )
