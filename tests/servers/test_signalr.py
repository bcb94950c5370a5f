"""What aiosignalr does on the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.servers.client import PlainClient, dialled
from tests.servers.signalr import SignalR

END = "\x1e"

pytestmark = pytest.mark.timeout(300)  # the first one installs the servers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignalR]:
    with SignalR(tmp_path_factory.mktemp("signalr")) as running:
        yield running


def ask(client: PlainClient, message: dict[str, Any]) -> dict[str, Any]:
    client.send(json.dumps(message) + END)
    return next_message(client)


def next_message(client: PlainClient) -> dict[str, Any]:
    """Give the next message that is no ping."""
    while True:
        text = client.text()
        assert text.endswith(END)
        for one in text.split(END)[:-1]:
            found: dict[str, Any] = json.loads(one)
            if found != {"type": 6}:
                return found


@contextmanager
def logged_in(server: SignalR) -> Iterator[PlainClient]:
    with dialled(server.url) as client:
        assert ask(client, {"protocol": "json", "version": 1}) == {}
        yield client


def invoke(number: int, target: str, *arguments: Any) -> dict[str, Any]:
    return {"type": 1, "invocationId": str(number), "target": target, "arguments": arguments}


def test_a_handshake_invocations_their_results_and_calls_of_the_server(server: SignalR) -> None:
    with logged_in(server) as client:
        assert ask(client, invoke(1, "join", "a")) == {"type": 3, "invocationId": "1", "result": "a"}
        refused = ask(client, invoke(2, "join", "secret"))
        assert (refused["type"], refused["invocationId"], "error" in refused) == (3, "2", True)
        server.order(publish={"room": "b", "text": "no"})
        server.order(publish={"room": "a", "text": "yes"})
        assert next_message(client) == {"type": 1, "target": "message", "arguments": [{"room": "a", "text": "yes"}]}
        assert ask(client, invoke(3, "echo", {"n": 1}))["result"] == {"echo": {"n": 1}}


def test_another_protocol_is_an_error_of_the_handshake(server: SignalR) -> None:
    with dialled(server.url) as client:
        assert "error" in ask(client, {"protocol": "nothing", "version": 1})


def test_the_server_pings(server: SignalR) -> None:
    with logged_in(server) as client:
        assert client.text() == '{"type":6}' + END


def test_a_token_that_is_not_accepted_is_an_http_401(server: SignalR) -> None:
    server.order(tokens=["two"])
    try:
        with pytest.raises(InvalidStatus) as refused, dialled(server.url + "?access_token=one"):
            pass
        assert refused.value.response.status_code == 401
    finally:
        server.order(tokens=[])


def test_a_killed_server_comes_back(server: SignalR) -> None:
    port = server.port
    server.restart()
    assert server.port == port
    with logged_in(server):
        pass
