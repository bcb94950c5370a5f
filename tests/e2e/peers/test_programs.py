"""The peers themselves, asked by another client: so that a failure with wscli is a failure of wscli."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.e2e.peers.programs import Chromium, NodeServer


def test_the_node_server_numbers_and_echoes_and_returns_at_its_port(tmp_path: Path) -> None:
    with NodeServer(tmp_path) as server:
        for first in (1, 1000):
            with connect(f"ws://127.0.0.1:{server.port}", proxy=None) as client:
                client.send("hello")
                seen = [json.loads(client.recv(timeout=30)) for _ in range(5)]
                while {"echo": "hello"} not in seen:
                    seen.append(json.loads(client.recv(timeout=30)))
            numbers = [message["n"] for message in seen if "n" in message]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert first <= numbers[0] < 1000 + first
            server.kill()
            server.start(first=1000)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


def test_the_browser_answers_a_command_and_reports_an_event(chromium: Chromium) -> None:
    with connect(f"ws://{chromium.address}/devtools/page/{chromium.page()}", proxy=None) as client:
        seen: list[dict[str, Any]] = []

        def until(**fields: object) -> None:
            while not any(fields.items() <= message.items() for message in seen):
                seen.append(json.loads(client.recv(timeout=30)))

        client.send('{"id": 1, "method": "Page.enable"}')
        client.send('{"id": 2, "method": "Runtime.evaluate", "params": {"expression": "6 * 7"}}')
        until(id=2)  # a navigation before the first page has loaded may be dropped
        assert {"id": 1, "result": {}} in seen
        client.send('{"id": 3, "method": "Page.navigate", "params": {"url": "data:text/html,<title>t</title>"}}')
        until(method="Page.loadEventFired")
