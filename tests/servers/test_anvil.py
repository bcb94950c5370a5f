"""What anvil does on the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.anvil import Anvil
from tests.servers.client import dialled


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    with Anvil(tmp_path_factory.mktemp("anvil")) as running:
        yield running


def call(number: int, method: str, *params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def test_a_subscription_has_an_id_of_the_servers_own(server: Anvil) -> None:
    with dialled(server.url) as client:
        subscription = client.ask(call(1, "eth_subscribe", "newHeads"))["result"]
        server.mine()
        notification = client.json()
        assert (notification["method"], "id" in notification) == ("eth_subscription", False)
        assert notification["params"]["subscription"] == subscription
        assert int(notification["params"]["result"]["number"], 16) == 1
        assert client.ask(call(2, "eth_blockNumber")) == {"jsonrpc": "2.0", "id": 2, "result": "0x1"}
        assert client.ask(call(3, "eth_unsubscribe", subscription)) == {"jsonrpc": "2.0", "id": 3, "result": True}


def test_what_it_does_not_know_is_an_error_of_the_call(server: Anvil) -> None:
    with dialled(server.url) as client:
        assert client.ask(call(1, "eth_nothing"))["error"]["code"] == -32602
        assert client.ask(call(2, "eth_subscribe", "nothing"))["error"]["code"] == -32602


def test_a_killed_server_comes_back_with_a_new_chain(server: Anvil) -> None:
    port = server.port
    server.restart()
    assert server.port == port
    with dialled(server.url) as client:
        assert client.ask(call(1, "eth_blockNumber"))["result"] == "0x0"
