"""What the npm package graphql-ws does on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from tests.servers.client import PlainClient, dialled
from tests.servers.graphql_ws import GraphqlWs

INIT = {"type": "connection_init", "payload": {"Authorization": "Bearer one"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GraphqlWs]:
    with GraphqlWs(tmp_path_factory.mktemp("graphql")) as running:
        yield running


def opened(server: GraphqlWs) -> AbstractContextManager[PlainClient]:
    return dialled(server.url, subprotocol="graphql-transport-ws")


def subscribe(id: str, query: str) -> dict[str, object]:  # noqa: A002 - as the protocol calls it
    return {"id": id, "type": "subscribe", "payload": {"query": query}}


def messages(room: str) -> str:
    return f'subscription {{messages(room: "{room}") {{text}}}}'


def test_a_log_in_a_subscription_its_messages_and_its_end(server: GraphqlWs) -> None:
    with opened(server) as client:
        assert client.ask(INIT) == {"type": "connection_ack"}
        assert client.ask({"type": "ping"}) == {"type": "pong"}
        client.send(subscribe("1", messages("a")))
        server.until("subscribed", "a")  # it is not acknowledged on the wire
        server.order(publish={"room": "b", "text": "no"})
        server.order(publish={"room": "a", "text": "yes"})
        assert client.json() == {"id": "1", "type": "next", "payload": {"data": {"messages": {"text": "yes"}}}}
        server.order(complete="a")
        assert client.json() == {"id": "1", "type": "complete"}
        client.send(subscribe("2", messages("b")))
        server.until("subscribed", "b")
        client.send({"id": "2", "type": "complete"})
        server.until("unsubscribed", "b")
        client.send(subscribe("3", '{echo(text: "hi")}'))
        assert client.json() == {"id": "3", "type": "next", "payload": {"data": {"echo": "hi"}}}
        assert client.json() == {"id": "3", "type": "complete"}


def test_an_invalid_subscription_is_an_error_of_it_alone(server: GraphqlWs) -> None:
    with opened(server) as client:
        client.ask(INIT)
        error = client.ask(subscribe("1", "subscription {nothing}"))
        assert (error["type"], error["id"]) == ("error", "1")
        assert "Cannot query field" in error["payload"][0]["message"]
        assert client.ask({"type": "ping"}) == {"type": "pong"}


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ([{"type": "nothing"}], 4400),
        ([subscribe("1", messages("a"))], 4401),
        ([INIT, INIT], 4429),
        ([INIT, subscribe("1", messages("a")), subscribe("1", messages("a"))], 4409),
    ],
)
def test_a_breach_of_the_protocol_closes_with_its_code(server: GraphqlWs, said: list[object], code: int) -> None:
    with opened(server) as client:
        for message in said:
            client.send(message)
            if message is INIT and said[-1] is not INIT:
                assert client.json() == {"type": "connection_ack"}  # a subscription before it is a breach as well
        assert client.close_code()[0] == code


def test_a_token_that_is_not_accepted_closes_with_4403(server: GraphqlWs) -> None:
    server.order(tokens=["two"])
    try:
        with opened(server) as client:
            client.send(INIT)
            assert client.close_code() == (4403, "Forbidden")
    finally:
        server.order(tokens=[])


def test_another_subprotocol_closes_with_4406(server: GraphqlWs) -> None:
    with dialled(server.url) as client:
        assert client.close_code()[0] == 4406


def test_a_log_in_that_is_held_back_is_answered_later_and_a_killed_server_comes_back(server: GraphqlWs) -> None:
    server.order(hold=True)
    with opened(server) as client:
        client.send(INIT)
        assert client.ask({"type": "ping"}) == {"type": "pong"}, "what is held back is the acknowledgement"
        server.order(release=True)
        assert client.json() == {"type": "connection_ack"}
    port = server.port
    server.restart()
    assert server.port == port
    with opened(server) as client:
        assert client.ask(INIT) == {"type": "connection_ack"}
