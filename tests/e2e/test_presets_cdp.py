"""The preset ``cdp`` with Chromium, found over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.presets import ready_only_once_answered, running
from tests.processes import Wscli
from tests.servers.devtools import Devtools


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devtools]:
    with Devtools(tmp_path_factory.mktemp("devtools")) as started:
        yield started


def config(server: Devtools) -> str:
    debugger = f'debugger: "http://127.0.0.1:{server.port}"'
    return f"""
endpoints: {{browser: {{preset: cdp}}}}
channels:
  page: {{endpoint: browser, with: {{{debugger}, page: true, runtime: true}}}}
  new: {{endpoint: browser, open: lazy, with: {{{debugger}, url: "data:text/html,<title>new</title>", page: true}}}}
"""


EVALUATE = {"method": "Runtime.evaluate", "params": {"expression": "console.log('x'); document.title + 6 * 7"}}


def test_a_browser_is_found_asked_and_found_again_after_it_was_killed(wscli: Wscli, server: Devtools) -> None:
    with running(wscli, config(server)) as it:
        for life in (1, 2):
            it.manager.wait_for("page")
            assert it.ask("page", EVALUATE)["result"]["result"]["value"] == "42"
            logged = it.wscli(
                *("tail", "page", "--last", "1000", "--count", str(life), "--timeout", "30s", "--jq"),
                'select(.method == "Runtime.consoleAPICalled") | .params.args[0].value',
            )
            assert logged.stdout.split() == ["x"] * life, logged.stderr
            if life == 1:
                server.kill()
                it.until_state("page", "waiting")
                server.start()


def test_a_page_of_a_channels_own_is_another_session_on_the_same_connection(wscli: Wscli, server: Devtools) -> None:
    with running(wscli, config(server)) as it:
        it.manager.wait_for("page")
        assert it.ask("new", EVALUATE)["result"]["result"]["value"] == "new42"
        assert it.connections() == (1, 1)


def test_it_is_not_ready_before_the_server_answered(wscli: Wscli, server: Devtools) -> None:
    text = config(server).replace(f":{server.port}", ":PORT")
    ready_only_once_answered(wscli, text, server.port, "page")
