"""The preset ``socket.io`` with the npm package socket.io."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.presets import fetches_a_refused_token_again, running
from tests.processes import Wscli
from tests.servers.socket_io import SocketIo


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketIo]:
    with SocketIo(tmp_path_factory.mktemp("socket.io")) as started:
        yield started


def config(server: SocketIo) -> str:
    return f"""
endpoints: {{api: {{preset: socket.io, url: "{server.url}"}}}}
channels:
  all: {{endpoint: api}}
  a: {{endpoint: api, with: {{event: message, emit: [join, a], leave: [leave, a]}}}}
"""


def test_events_arrive_and_rooms_are_joined_again_after_the_server_was_killed(wscli: Wscli, server: SocketIo) -> None:
    with running(wscli, config(server)) as it:
        it.manager.wait_for("all", "a")
        assert it.connections() == (1, 1)
        server.until("joined", "a")
        server.order(publish={"room": "a", "text": "one"})
        assert it.messages("a", count=1) == ['["message",{"room":"a","text":"one"}]']

        server.kill()
        it.until_state("a", "waiting")
        server.start()
        it.manager.wait_for("all", "a")
        server.until("joined", "a")
        server.order(publish={"room": "a", "text": "two"})
        expected = ['["message",{"room":"a","text":"one"}]', '["message",{"room":"a","text":"two"}]']
        assert it.messages("a", count=2) == it.messages("all", count=2) == expected


def test_a_request_is_an_event_and_its_reply_the_acknowledgement(wscli: Wscli, server: SocketIo) -> None:
    with running(wscli, config(server)) as it:
        assert it.ask("a", ["echo", {"n": 1}]) == [{"echo": {"n": 1}}]


def test_it_answers_pings_and_stays(wscli: Wscli, server: SocketIo) -> None:
    with running(wscli, config(server)) as it:
        it.manager.wait_for("all")
        server.until("pong", True, len(server.events("pong")) + 3)
        assert it.manager.stats()["channels"]["all"]["connects"] == 1


def test_a_server_that_hangs_is_noticed_by_its_missing_pings(wscli: Wscli, tmp_path: Path) -> None:
    with SocketIo(tmp_path, ping_timeout=500) as server, running(wscli, config(server)) as it:
        assert server.process is not None
        it.manager.wait_for("all")
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            it.manager.until_stats(lambda stats: stats["channels"]["all"]["state"] != "ready")
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        it.manager.until_stats(lambda stats: stats["channels"]["all"]["connects"] > 1)


def test_it_is_not_ready_before_the_namespace_is_connected(wscli: Wscli, server: SocketIo) -> None:
    known = len(server.events("auth"))
    server.order(hold=True)
    with running(wscli, config(server)) as it:
        server.until("auth", {}, known + 1)
        it.until_state("all", "handshaking")
        assert it.state("a")["state"] == "handshaking"
        server.order(release=True)
        it.manager.wait_for("all", "a")


def test_a_disconnect_by_the_server_is_final(wscli: Wscli, server: SocketIo) -> None:
    with running(wscli, config(server)) as it:
        it.manager.wait_for("all")
        server.order(disconnect=False)
        it.until_state("all", "failed")


def test_a_refused_token_is_fetched_again(wscli: Wscli, server: SocketIo) -> None:
    text = config(server)
    fetches_a_refused_token_again(
        wscli, server, text, source="socketio", channel="all", lose=lambda: server.order(drop=True)
    )
