"""What Action Cable does on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.servers.actioncable import ActionCable
from tests.servers.client import PlainClient, dialled


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ActionCable]:
    with ActionCable(tmp_path_factory.mktemp("actioncable")) as running:
        yield running


@contextmanager
def opened(server: ActionCable, query: str = "") -> Iterator[PlainClient]:
    url = server.url + query
    with dialled(url, subprotocol="actioncable-v1-json", headers=[server.origin]) as client:
        assert client.connection.subprotocol == "actioncable-v1-json"
        yield client


def next_message(client: PlainClient) -> dict[str, Any]:
    """Give the next message that is no ping."""
    while (found := client.json()).get("type") == "ping":
        pass
    assert isinstance(found, dict)
    return found


def identifier(room: str) -> str:
    return json.dumps({"room": room, "channel": "RoomChannel"})


def test_a_subscription_its_messages_and_an_action(server: ActionCable) -> None:
    with opened(server) as client:
        assert next_message(client) == {"type": "welcome"}
        a = identifier("a")  # it is repeated as it was sent, to the letter
        client.send({"command": "subscribe", "identifier": a})
        assert next_message(client) == {
            "identifier": a,
            "type": "confirm_subscription",
        }
        server.order(publish={"room": "b", "text": "no"})
        server.order(publish={"room": "a", "text": "yes"})
        assert next_message(client) == {"identifier": a, "message": {"text": "yes"}}
        data = json.dumps({"action": "echo", "id": 1, "text": "hi"})
        client.send({"command": "message", "identifier": a, "data": data})
        assert next_message(client) == {"identifier": a, "message": {"id": 1, "echo": "hi"}}
        secret = identifier("secret")
        client.send({"command": "subscribe", "identifier": secret})
        assert next_message(client) == {"identifier": secret, "type": "reject_subscription"}


def test_a_subscription_to_what_does_not_exist_or_twice_is_not_answered(server: ActionCable) -> None:
    with opened(server) as client:
        assert next_message(client) == {"type": "welcome"}
        client.send({"command": "subscribe", "identifier": json.dumps({"channel": "NoChannel"})})
        for room in ("a", "a", "b"):
            client.send({"command": "subscribe", "identifier": identifier(room)})
        said = {
            next_message(client)["identifier"] for _ in range(2)
        }  # in any order: a pool of threads carries them out
        assert said == {identifier("a"), identifier("b")}


def test_the_server_pings_every_three_seconds(server: ActionCable) -> None:
    with opened(server) as client:
        assert client.json() == {"type": "welcome"}
        assert client.json().keys() == {"type", "message"}


def test_a_token_that_is_not_accepted_is_a_disconnect_without_a_return(server: ActionCable) -> None:
    server.order(tokens=["two"])
    try:
        with opened(server, "?token=one") as client:
            assert client.json() == {"type": "disconnect", "reason": "unauthorized", "reconnect": False}
            assert client.close_code()[0] == 1000
        with opened(server, "?token=two") as client:
            assert client.json() == {"type": "welcome"}
    finally:
        server.order(tokens=[])


@pytest.mark.parametrize("returns", [True, False])
def test_a_disconnect_says_whether_to_come_back(server: ActionCable, returns: bool) -> None:
    with opened(server) as client:
        assert client.json() == {"type": "welcome"}
        server.order(disconnect=returns)
        assert next_message(client) == {"type": "disconnect", "reason": "remote", "reconnect": returns}
        assert client.close_code()[0] == 1000


def test_an_upgrade_without_an_origin_that_it_knows_is_an_http_404(server: ActionCable) -> None:
    with pytest.raises(InvalidStatus) as refused, dialled(server.url, headers=[("Origin", "https://evil.example")]):
        pass
    assert refused.value.response.status_code == 404


def test_a_welcome_that_is_held_back_is_sent_later_and_a_killed_server_comes_back(server: ActionCable) -> None:
    server.order(hold=True)
    with opened(server) as client:
        assert client.is_silent()
        server.order(release=True)
        assert client.json() == {"type": "welcome"}
    port = server.port
    server.restart()
    assert server.port == port
    with opened(server) as client:
        assert client.json() == {"type": "welcome"}
