"""The preset ``graphql-transport-ws`` with the npm package graphql-ws."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.presets import fetches_a_refused_token_again, running
from tests.processes import Wscli
from tests.servers.graphql_ws import GraphqlWs


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphqlWs]:
    with GraphqlWs(tmp_path_factory.mktemp("graphql")) as started:
        yield started


def config(server: GraphqlWs) -> str:
    return f"""
endpoints: {{api: {{preset: graphql-transport-ws, url: "{server.url}"}}}}
channels:
  a: {{endpoint: api, with: {{query: 'subscription {{messages(room: "a") {{text}}}}'}}}}
  b:
    endpoint: api
    with: {{query: "subscription In($room: String!) {{messages(room: $room) {{text}}}}", variables: {{room: b}}}}
"""


def shown(text: str) -> str:
    return f'{{"data":{{"messages":{{"text":"{text}"}}}}}}'


def test_channels_share_a_connection_and_come_back_on_it_by_themselves(wscli: Wscli, server: GraphqlWs) -> None:
    with running(wscli, config(server)) as it:
        it.manager.wait_for("a", "b")
        assert it.connections() == (1, 1)
        for room in ("a", "b"):
            server.until("subscribed", room)
            server.order(publish={"room": room, "text": f"in {room}"})
        assert it.messages("a", count=1) == [shown("in a")]
        assert it.messages("b", count=1) == [shown("in b")]

        server.kill()
        it.until_state("a", "waiting")
        it.until_state("b", "waiting")
        server.start()
        it.manager.wait_for("a", "b")
        for room in ("a", "b"):
            server.until("subscribed", room)
            server.order(publish={"room": room, "text": f"back in {room}"})
        assert it.messages("a", count=2) == [shown("in a"), shown("back in a")]
        assert it.messages("b", count=2) == [shown("in b"), shown("back in b")]
        assert it.connections() == (1, 1)


def test_a_request_is_an_operation_and_its_reply_the_result(wscli: Wscli, server: GraphqlWs) -> None:
    with running(wscli, config(server)) as it:
        assert it.ask("a", {"query": '{echo(text: "hi")}'}) == {"data": {"echo": "hi"}}
        [error] = it.ask("a", {"query": "{nothing}"})
        assert "Cannot query field" in error["message"]
        assert it.state("a")["state"] == "ready", "an operation that fails is its own matter"


def test_it_is_not_ready_before_the_acknowledgement(wscli: Wscli, server: GraphqlWs) -> None:
    known = len(server.events("init"))
    server.order(hold=True)
    with running(wscli, config(server)) as it:
        server.until("init", None, known + 1)
        for channel in ("a", "b"):
            it.until_state(channel, "handshaking", "connection_ack")
        server.order(release=True)
        it.manager.wait_for("a", "b")


def test_a_refused_subscription_and_an_ended_one_are_of_their_channels_alone(wscli: Wscli, server: GraphqlWs) -> None:
    more = '  wrong: {endpoint: api, with: {query: "subscription {nothing}"}}\n'
    with running(wscli, config(server) + more) as it:
        it.until_state("wrong", "failed")
        it.manager.wait_for("a", "b")
        server.until("subscribed", "a")
        server.order(complete="a")
        it.until_state("a", "done")
        assert it.state("b")["state"] == "ready"
        assert it.connections() == (1, 1)


def test_a_refused_token_is_fetched_again(wscli: Wscli, server: GraphqlWs) -> None:
    text = config(server)
    fetches_a_refused_token_again(
        wscli, server, text, source="graphql", channel="a", lose=lambda: server.order(close=1012)
    )
