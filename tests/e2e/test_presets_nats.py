"""The preset ``nats`` with nats-server and its WebSocket listener."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.presets import ready_only_once_answered, running, write_token
from tests.processes import Wscli
from tests.servers.nats import NatsServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with NatsServer(tmp_path_factory.mktemp("nats")) as started:
        yield started


def config(server: NatsServer) -> str:
    return f"""
endpoints: {{bus: {{preset: nats, url: "{server.url}"}}}}
channels:
  news: {{endpoint: bus, with: {{subject: "news.>"}}}}
  other: {{endpoint: bus, with: {{subject: other}}}}
"""


def test_messages_arrive_and_subjects_are_subscribed_again_after_a_kill(wscli: Wscli, server: NatsServer) -> None:
    with running(wscli, config(server)) as it:
        it.manager.wait_for("news", "other")
        assert it.connections() == (1, 1)
        server.publish("news.a", "one")
        server.publish("other", "two\r\nlines")
        server.publish("nothing", "no")
        assert it.messages("news", count=1) == ["one"]
        assert it.messages("other", count=1) == ["two\r", "lines"]

        server.kill()
        it.until_state("news", "waiting")
        server.start()
        it.manager.wait_for("news", "other")
        server.publish("news.b", "three")
        assert it.messages("news", count=2) == ["one", "three"]


def test_two_hundred_channels_share_a_connection_and_all_come_back(wscli: Wscli, server: NatsServer) -> None:
    names = [f"s{number}" for number in range(200)]
    channels = "".join(f"  {name}: {{endpoint: bus, with: {{subject: of.{name}}}}}\n" for name in names)
    with running(wscli, f'endpoints: {{bus: {{preset: nats, url: "{server.url}"}}}}\nchannels:\n{channels}') as it:
        for life in (1, 2):
            it.manager.wait_for(*names)
            assert it.connections() == (1, 1)
            with server.client() as client:
                for name in names:
                    client.publish(f"of.{name}", f"{name} in {life}")
            lines = it.messages(*names, count=200 * life)
            expected = {f"{name}\t{name} in {number}" for name in names for number in range(1, life + 1)}
            assert (len(lines), set(lines)) == (200 * life, expected)
            if life == 1:
                server.kill()
                it.until_state("s0", "waiting")
                server.start()


def test_a_message_is_sent_and_a_request_answered(wscli: Wscli, server: NatsServer) -> None:
    with running(wscli, config(server)) as it, server.client() as responder:
        it.manager.wait_for("news")
        assert wscli("send", "news", '{"subject": "news.c", "data": "käse"}').returncode == 0
        assert it.messages("news", count=1) == ["käse"]
        responder.say("SUB ask 1")
        asking = wscli.start("request", "news", '{"subject": "ask", "data": "hi"}', "--timeout", "30s")
        responder.answer("ask", "there")
        assert (asking.wait(), asking.out) == (0, ["there"]), asking.shown()


def test_a_refused_token_is_fetched_again(wscli: Wscli, server: NatsServer) -> None:
    server.token = "one"
    server.restart()
    try:
        with running(wscli, "tokens: {nats: {file: token.txt}}" + config(server), token="one") as it:
            it.manager.wait_for("news")
            server.token = "two"
            write_token(wscli, "two")
            server.restart()
            it.manager.until_stats(lambda stats: stats["channels"]["news"]["connects"] == 2)
            assert it.manager.stats()["tokens"]["nats"]["fetches"] == 2
            server.publish("news.d", "with two")
            assert it.messages("news", count=1) == ["with two"]
    finally:
        server.token = None
        server.restart()


def test_it_is_not_ready_before_the_server_answered(wscli: Wscli, server: NatsServer) -> None:
    text = config(server).replace(f":{server.port}", ":PORT")
    ready_only_once_answered(wscli, text, server.port, "news", "other")
