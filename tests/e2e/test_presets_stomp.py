"""The preset ``stomp`` with RabbitMQ's Web STOMP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.presets import ready_only_once_answered, running, write_token
from tests.processes import Wscli
from tests.servers.rabbitmq import RabbitMq


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMq]:
    with RabbitMq(tmp_path_factory.mktemp("rabbitmq")) as started:
        yield started


def test_it_is_not_ready_before_the_broker_answered(wscli: Wscli, server: RabbitMq) -> None:
    text = """
endpoints: {broker: {preset: stomp, url: "ws://127.0.0.1:PORT/ws"}}
tokens: {stomp: {value: guest}}
channels: {topic: {endpoint: broker, with: {destination: /topic/b}}}
"""
    ready_only_once_answered(wscli, text, server.port, "topic")


def test_a_refused_passcode_is_fetched_again(wscli: Wscli, server: RabbitMq) -> None:
    text = f"""
endpoints: {{broker: {{preset: stomp, url: "{server.url}"}}}}
tokens: {{stomp: {{file: token.txt}}}}
channels: {{topic: {{endpoint: broker, with: {{destination: /topic/b}}}}}}
"""
    with running(wscli, text, token="wrong") as it:
        it.until_state("topic", "waiting")
        write_token(wscli, "guest")
        it.manager.wait_for("topic")


def test_messages_of_a_topic_and_a_queue_arrive_and_are_subscribed_again_after_a_kill(
    wscli: Wscli, server: RabbitMq
) -> None:
    text = f"""
endpoints: {{broker: {{preset: stomp, url: "{server.url}"}}}}
tokens: {{stomp: {{value: guest}}}}
channels:
  topic: {{endpoint: broker, with: {{destination: /topic/a}}}}
  queue: {{endpoint: broker, with: {{destination: /queue/a, ack: client-individual}}}}
"""
    with running(wscli, text) as it:
        for life in ("one", "two"):
            it.manager.wait_for("topic", "queue")
            assert it.connections() == (1, 1)
            for channel in ("topic", "queue"):
                body = f"{channel} {life} käse"
                message = f'{{"destination": "/{channel}/a", "body": "{body}"}}'
                assert wscli("send", channel, message).returncode == 0
                assert it.messages(channel, count=1 if life == "one" else 2)[-1] == body
            if life == "one":
                server.kill()
                it.until_state("topic", "waiting")
                server.start()
