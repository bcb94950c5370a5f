"""What nats-server does on the wire of its WebSocket listener."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.servers.client import PlainClient, dialled
from tests.servers.nats import NatsServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with NatsServer(tmp_path_factory.mktemp("nats")) as running:
        yield running


class Stream:
    """The lines of the protocol, whatever messages they are in."""

    def __init__(self, client: PlainClient) -> None:
        self._client = client
        self._rest = b""

    def take(self, size: int) -> bytes:
        while len(self._rest) < size:
            received = self._client.connection.recv(30)
            assert isinstance(received, bytes)
            self._rest += received
        found, self._rest = self._rest[:size], self._rest[size:]
        return found

    def line(self) -> str:
        while b"\r\n" not in self._rest:
            self._rest = self.take(len(self._rest) + 1) + self._rest
        return self.take(self._rest.index(b"\r\n") + 2).decode().removesuffix("\r\n")


def info(stream: Stream) -> dict[str, object]:
    line = stream.line()
    assert line.startswith("INFO {")
    found: dict[str, object] = json.loads(line[5:])
    return found


def test_a_log_in_a_subscription_a_message_and_a_ping(server: NatsServer) -> None:
    with dialled(server.url) as client:
        stream = Stream(client)
        assert info(stream)["headers"] is True
        client.send(b'CONNECT {"verbose":false,"headers":true}\r\nPING\r\n')
        assert stream.line() == "PONG"
        client.send(b"SUB news.> 7\r\nPING\r\n")
        assert stream.line() == "PONG"  # what acknowledges a subscription: all before it was handled
        server.publish("other", "no")
        server.publish("news.a", "yes")
        assert stream.line() == "MSG news.a 7 3"
        assert stream.take(5) == b"yes\r\n"
        client.send(b"HPUB news.b 24 26\r\nNATS/1.0\r\nKind: test\r\n\r\nhi\r\n")
        assert stream.line() == "HMSG news.b 7 24 26"
        assert stream.take(28) == b"NATS/1.0\r\nKind: test\r\n\r\nhi\r\n"
        client.send(b"UNSUB 7\r\nPING\r\n")
        assert stream.line() == "PONG"


def test_a_request_is_a_message_that_names_where_the_answer_goes(server: NatsServer) -> None:
    with server.client() as responder, dialled(server.url) as client:
        responder.say("SUB ask 1")
        stream = Stream(client)
        info(stream)
        client.send(b'CONNECT {"verbose":false}\r\nSUB _INBOX.1 9\r\nPUB ask _INBOX.1 2\r\nhi\r\n')
        responder.answer("ask", "there")
        assert stream.line() == "MSG _INBOX.1 9 5"
        assert stream.take(7) == b"there\r\n"


def test_text_frames_are_taken_as_well(server: NatsServer) -> None:
    with dialled(server.url) as client:
        stream = Stream(client)
        info(stream)
        client.send('CONNECT {"verbose":false}\r\nPING\r\n')
        assert stream.line() == "PONG"


def test_what_is_not_of_the_protocol_is_an_error_and_a_close(server: NatsServer) -> None:
    with dialled(server.url) as client:
        stream = Stream(client)
        info(stream)
        client.send(b"NOTHING\r\n")
        assert stream.line() == "-ERR 'Unknown Protocol Operation'"
        assert client.close_code()[0] == 1002


def test_a_token_that_is_not_accepted_is_an_error_and_a_close(server: NatsServer) -> None:
    server.token = "two"
    server.restart()
    with dialled(server.url) as client:
        stream = Stream(client)
        assert info(stream)["auth_required"] is True
        client.send(b'CONNECT {"verbose":false,"auth_token":"one"}\r\nPING\r\n')
        assert stream.line() == "-ERR 'Authorization Violation'"
        assert client.close_code()[0] == 1008
    with dialled(server.url) as client:
        stream = Stream(client)
        info(stream)
        client.send(b'CONNECT {"verbose":false,"auth_token":"two"}\r\nPING\r\n')
        assert stream.line() == "PONG"
    server.token = None
    port = server.port
    server.restart()
    assert server.port == port


def test_the_server_pings_in_the_protocol_and_closes_a_connection_that_does_not_answer(server: NatsServer) -> None:
    server.ping_interval = "250ms"
    server.restart()
    with dialled(server.url) as client:
        stream = Stream(client)
        info(stream)
        client.send(b'CONNECT {"verbose":false}\r\n')
        heard = list(iter(stream.line, "-ERR 'Stale Connection'"))
        assert set(heard) == {"PING"}
        assert client.close_code()[0] == 1006, "it says no more"
