"""Two DevTools clients on one channel of one browser: each gets its own answers, and all of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.processes import Manager, Wscli
from tests.servers.devtools import Devtools

ROUNDS = 50


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devtools]:
    with Devtools(tmp_path_factory.mktemp("devtools")) as started:
        yield started


def config(server: Devtools) -> str:
    return f"""
version: 1
name: app
endpoints:
  browser:
    url: "{{var.url}}"
    url_hosts: [127.0.0.1]
    session:
      before:
        - http: {{get: "http://127.0.0.1:{server.port}/json/list"}}
          expect: [{{match: [{{type: page}}], set: {{url: ".[0].webSocketDebuggerUrl"}}}}]
      reply: {{id: "{{sent.ref}}"}}
backoff: {{default: {{initial: 20ms, max: 200ms}}}}
gateway: {{listen: "127.0.0.1:0", auth: none}}
channels: {{page: {{endpoint: browser, max_message: 16MiB}}}}
"""


def client(manager: Manager) -> ClientConnection:
    [listening] = manager.stats()["gateway"]["listen"]
    return connect(f"ws://{listening}/ws/page", compression=None, proxy=None, max_size=None)


def ask(one: ClientConnection, number: int, text: str) -> None:
    one.send(json.dumps({"id": number, "method": "Runtime.evaluate", "params": {"expression": f"'{text}'"}}))


def answers(one: ClientConnection, count: int) -> list[tuple[int, str]]:
    """Give the ids and values of so many answers; events in between are left out."""
    found: list[tuple[int, str]] = []
    while len(found) < count:
        message: dict[str, Any] = json.loads(one.recv(30))
        if "id" in message:
            found.append((message["id"], message["result"]["result"]["value"]))
    return found


def test_two_clients_with_the_same_ids_get_all_of_their_own_answers(wscli: Wscli, server: Devtools) -> None:
    with wscli.up(config(server)) as manager:
        manager.wait_for("page")
        with client(manager) as one, client(manager) as two:
            for number in range(ROUNDS):
                ask(one, number, f"one {number}")
                ask(two, number, f"two {number}")
            assert answers(one, ROUNDS) == [(number, f"one {number}") for number in range(ROUNDS)]
            assert answers(two, ROUNDS) == [(number, f"two {number}") for number in range(ROUNDS)]
            one.send('{"id": 7, "method": "No.such"}')
            assert json.loads(one.recv(30))["id"] == 7
        assert manager.stats()["connections"] == {**manager.stats()["connections"], "active": 1, "total": 1}


def test_a_client_whose_request_died_with_the_browser_is_closed_and_can_come_back(
    wscli: Wscli, server: Devtools
) -> None:
    with wscli.up(config(server)) as manager:
        manager.wait_for("page")
        with client(manager) as one:
            one.send('{"id": 1, "method": "Runtime.evaluate", "params": {"expression": "for(;;);"}}')
            manager.until_stats(lambda stats: stats["channels"]["page"]["sent"] == 1)
            server.kill()
            with pytest.raises(ConnectionClosed):
                one.recv(30)
        server.start()
        manager.wait_for("page")
        with client(manager) as one:
            ask(one, 1, "back")
            assert answers(one, 1) == [(1, "back")]
