"""Servers that send after a first message, and servers that allow one connection: a rotation loses nothing."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection

from tests.adapter.upstream import serving
from tests.processes import Manager, Wscli
from tests.waiting import until

SENDS = f"#!/bin/sh\nexec {sys.executable} -m wscli send news subscribe\n"
PRINTS = "#!/bin/sh\necho subscribe\n"
ON_READY = f"""#!/bin/sh
case "$(cat)" in *'"state":"ready"'*) exec {sys.executable} -m wscli send news subscribe;; esac
"""
HOOKS = {"sends": ("on_connect", SENDS), "prints": ("on_connect", PRINTS), "on ready": ("on_state", ON_READY)}
CONFIG = """
version: 1
name: app
endpoints: {{api: {{url: "ws://127.0.0.1:{port}", rotate: {{max_age: {age}}}, headers: {{X-A: "{header}"}}}}}}
channels: {{news: {{endpoint: api, {hook}: [./hook]}}}}
"""


class OneConnection:
    """Closes its last connection when it is asked for another, and sends once it got a first message."""

    def __init__(self, code: int | None) -> None:
        self.code = code
        self.subscriptions = 0
        self.open: set[ServerConnection] = set()

    def process(self, connection: ServerConnection, request: Request) -> Response | None:
        for one in list(self.open) if self.code is not None else ():
            one.close(self.code)
            time.sleep(0.1)  # until the client saw it, as it may
        return None

    def handle(self, connection: ServerConnection) -> None:
        self.open.add(connection)
        ended = threading.Event()

        def tick() -> None:
            try:
                while not ended.wait(0.05):
                    connection.send("tick")
            except ConnectionClosed:
                pass

        ticking = threading.Thread(target=tick)
        try:
            for message in connection:
                assert message == "subscribe"
                self.subscriptions += 1
                if not ticking.is_alive():
                    ticking.start()
        except ConnectionClosed:
            pass
        ended.set()
        self.open.discard(connection)


@contextmanager
def running(wscli: Wscli, hook: str, code: int | None, age: str) -> Iterator[tuple[OneConnection, Manager, Any]]:
    server, (event, script) = OneConnection(code), HOOKS[hook]
    quiet = logging.getLogger("tests.e2e.test_on_connect")
    quiet.setLevel(logging.CRITICAL)
    Path(wscli.directory, "hook").write_text(script)
    Path(wscli.directory, "hook").chmod(0o700)
    with serving(server.handle, process_request=server.process, logger=quiet) as port:

        def config(header: str) -> str:
            return CONFIG.format(port=port, age=age, header=header, hook=event)

        with wscli.up(config("1")) as manager:
            manager.wait_for("news")
            yield server, manager, config


def until_received(manager: Manager, count: int) -> dict[str, Any]:
    """Wait until so many more messages came, and give the channel's counters."""
    wanted = manager.stats()["channels"]["news"]["received"] + count
    stats = manager.until_stats(lambda stats: stats["channels"]["news"]["received"] >= wanted)
    found: dict[str, Any] = stats["channels"]["news"]
    return found


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_subscribes_on_each_connection(wscli: Wscli, hook: str) -> None:
    with running(wscli, hook, None, "1s") as (server, manager, _):
        manager.until_stats(lambda stats: stats["channels"]["news"]["rotations"] >= 2)
        until(lambda: server.subscriptions >= 3)
        assert until_received(manager, 5)["gaps"] == {}


@pytest.mark.parametrize("hook", HOOKS)
def test_a_hook_subscribes_after_a_reload_that_rotates(wscli: Wscli, hook: str) -> None:
    with running(wscli, hook, None, "1h") as (server, manager, config):
        until(lambda: server.subscriptions == 1)
        manager.file.write_text(config("2"))
        done = wscli("reload")
        assert done.returncode == 0, done.stderr
        until(lambda: server.subscriptions == 2)
        assert until_received(manager, 5)["rotations"] == 1


@pytest.mark.parametrize("code", [1000, 1008, 4409])
def test_a_server_that_allows_one_connection_is_no_failure(wscli: Wscli, code: int) -> None:
    with running(wscli, "prints", code, "1s") as (_, manager, _):
        manager.until_stats(lambda stats: stats["channels"]["news"]["rotations"] >= 3)
        stats = until_received(manager, 5)
        assert (stats["reconnects"], stats["gaps"], stats["short_outages"], stats["problems"]) == (0, {}, 0, [])
        assert stats["last_close"]["code"] == code
