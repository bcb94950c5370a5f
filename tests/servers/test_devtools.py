"""What Chromium's DevTools do on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.servers.client import PlainClient, dialled
from tests.servers.devtools import Devtools


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devtools]:
    with Devtools(tmp_path_factory.mktemp("devtools")) as running:
        yield running


def until(client: PlainClient, **fields: Any) -> dict[str, Any]:
    """Give the next message with these fields."""
    while not fields.items() <= (found := client.json()).items():
        pass
    assert isinstance(found, dict)
    return found


def test_a_page_is_found_over_http_enabled_and_asked(server: Devtools) -> None:
    page = server.page()
    assert page["url"] == "about:blank"
    with dialled(page["webSocketDebuggerUrl"]) as client:
        client.send({"id": 1, "method": "Page.enable"})
        assert until(client, id=1) == {"id": 1, "result": {}}
        client.send({"id": 2, "method": "Runtime.enable"})
        until(client, id=2)
        client.send({"id": 3, "method": "Runtime.evaluate", "params": {"expression": "console.log('x'); 6 * 7"}})
        assert until(client, method="Runtime.consoleAPICalled")["params"]["args"][0]["value"] == "x"
        assert until(client, id=3) == {
            "id": 3,
            "result": {"result": {"type": "number", "value": 42, "description": "42"}},
        }


def test_the_browser_has_a_socket_on_which_pages_are_sessions(server: Devtools) -> None:
    with dialled(server.http("/json/version")["webSocketDebuggerUrl"]) as client:
        target = {"targetId": server.page()["id"], "flatten": True}
        client.send({"id": 1, "method": "Target.attachToTarget", "params": target})
        session = until(client, id=1)["result"]["sessionId"]
        client.send({"id": 2, "method": "Page.enable", "sessionId": session})
        assert until(client, id=2)["sessionId"] == session


@pytest.mark.parametrize("command", [{"id": 1, "method": "No.such"}, {"id": 1, "method": "Runtime.evaluate"}])
def test_a_command_that_fails_is_answered_by_an_error(server: Devtools, command: dict[str, Any]) -> None:
    with dialled(server.page()["webSocketDebuggerUrl"]) as client:
        answer = client.ask(command)
        assert (answer["id"], answer["error"]["code"]) == (1, {"No.such": -32601}.get(command["method"], -32602))


def test_a_page_that_is_closed_closes_its_socket(server: Devtools) -> None:
    with dialled(server.http("/json/version")["webSocketDebuggerUrl"]) as browser:
        new = browser.ask({"id": 1, "method": "Target.createTarget", "params": {"url": "about:blank"}})
        target = new["result"]["targetId"]
        with dialled(f"ws://127.0.0.1:{server.port}/devtools/page/{target}") as client:
            browser.send({"id": 2, "method": "Target.closeTarget", "params": {"targetId": target}})
            assert until(client, method="Inspector.detached")["params"]["reason"] == "target_closed"
            assert client.close_code()[0] == 1006


def test_a_browser_that_was_killed_has_other_ids_on_the_same_port(server: Devtools) -> None:
    before, port = server.page()["webSocketDebuggerUrl"], server.port
    server.restart()
    assert server.port == port
    with pytest.raises(InvalidStatus) as refused, dialled(before):
        pass
    assert refused.value.response.status_code == 500
    assert b"No such target id" in (refused.value.response.body or b"")
    with dialled(server.page()["webSocketDebuggerUrl"]) as client:
        client.send({"id": 1, "method": "Page.enable"})
        assert until(client, id=1) == {"id": 1, "result": {}}
