"""A browser's DevTools through wscli: a server that nobody here wrote, with its events, commands and replies."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.peers.programs import Chromium
from tests.processes import Wscli

CONFIG = """
version: 1
name: browser
endpoints:
  devtools:
    url: ws://{address}/devtools/page
    max_message: 16MiB
channels:
  page: {{endpoint: devtools, path: /{page}}}
"""


@pytest.fixture
def config() -> Iterator[str]:
    with Chromium() as browser:
        yield CONFIG.format(address=browser.address, page=browser.page())


def test_events_arrive_by_tail_and_a_command_goes_by_send(wscli: Wscli, config: str) -> None:
    def command(number: int, method: str, **params: object) -> None:
        message = json.dumps({"id": number, "method": method, "params": params})
        sent = wscli("send", "page", message)
        assert (sent.returncode, sent.stdout) == (0, ""), sent.stderr

    with wscli.up(config) as manager:
        manager.wait_for("page")
        seen = wscli.start("tail", "page", "--last", "1000")

        def until(**fields: object) -> None:
            seen.until(lambda: any(fields.items() <= message.items() for message in seen.records()))

        command(1, "Page.enable")
        command(2, "Runtime.enable")
        command(3, "Runtime.evaluate", expression="console.log('hello', 'tail'); 6 * 7")
        until(id=3)
        by_id = {message["id"]: message["result"] for message in seen.records() if "id" in message}
        assert by_id[1] == by_id[2] == {}
        assert by_id[3]["result"]["value"] == 42
        command(4, "Page.navigate", url="data:text/html,<title>another</title>")
        until(method="Page.loadEventFired")

        logged = wscli(
            *("tail", "page", "--last", "1000", "--count", "1", "--timeout", "30s", "--jq"),
            'select(.method == "Runtime.consoleAPICalled") | [.params.args[].value]',
        )
        assert logged.stdout == '["hello","tail"]\n'

        stats = manager.stats()
        assert stats["connections"] == {"active": 1, "total": 1, "successors": 0, "unrouted": 0}
        assert stats["channels"]["page"]["sent"] == 4
        assert stats["channels"]["page"]["received"] == stats["channels"]["page"]["history"]["last"]
        assert seen.stop() == 143


def test_a_browser_that_is_killed_is_waited_for_and_said_so(wscli: Wscli) -> None:
    with Chromium() as browser:
        config = CONFIG.format(address=browser.address, page=browser.page())
        with wscli.up(config) as manager:
            manager.wait_for("page")
            browser.kill()
            manager.wait_for("page", state="waiting")
            (status,) = [json.loads(line) for line in wscli("status", "--json", "page").stdout.splitlines()]
            assert status["reason"]["text"]
            assert status["next"]["action"]
