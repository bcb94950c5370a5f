"""What the npm package socket.io does on the wire: Socket.IO packets in Engine.IO packets in WebSocket messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.client import PlainClient, dialled
from tests.servers.socket_io import SocketIo


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketIo]:
    with SocketIo(tmp_path_factory.mktemp("socket.io")) as running:
        yield running


@contextmanager
def opened(server: SocketIo) -> Iterator[PlainClient]:
    """Open a transport, and read the handshake of Engine.IO."""
    with dialled(f"{server.url}?EIO=4&transport=websocket") as client:
        handshake = client.text()
        assert handshake[0] == "0"
        assert json.loads(handshake[1:]).items() >= {"pingInterval": 500, "upgrades": []}.items()
        yield client


def next_packet(client: PlainClient) -> str:
    """Give the next packet that is no ping; pings are answered."""
    while (packet := client.text()) == "2":
        client.send("3")
    return packet


@contextmanager
def logged_in(server: SocketIo) -> Iterator[PlainClient]:
    with opened(server) as client:
        client.send('40{"token":"one"}')
        packet = next_packet(client)
        assert packet.startswith('40{"sid":')
        yield client


def test_events_acknowledgements_and_rooms(server: SocketIo) -> None:
    with logged_in(server) as client:
        client.send('427["join","a"]')
        assert next_packet(client) == '437[{"ok":true}]'
        client.send('428["join","secret"]')
        assert next_packet(client) == '438[{"ok":false}]'
        server.order(publish={"room": "b", "text": "no"})
        server.order(publish={"room": "a", "text": "yes"})
        assert next_packet(client) == '42["message",{"room":"a","text":"yes"}]'
        client.send('429["echo",{"n":1}]')
        assert next_packet(client) == '439[{"echo":{"n":1}}]'
        client.send('42["leave","a"]')
        server.until("left", "a")


def test_bytes_are_an_attachment_behind_the_packet_that_announces_it(server: SocketIo) -> None:
    with logged_in(server) as client:
        server.order(binary="xyz")
        assert next_packet(client) == '451-["binary",{"_placeholder":true,"num":0}]'
        assert client.connection.recv(30) == b"xyz"


def test_the_server_pings_and_notes_the_answer(server: SocketIo) -> None:
    answered = len(server.events("pong"))
    with logged_in(server) as client:
        assert client.text() == "2"
        client.send("3")
        server.until("pong", True, answered + 1)


def test_the_server_closes_a_connection_that_does_not_answer(tmp_path: Path) -> None:
    with SocketIo(tmp_path, ping_timeout=100) as server, opened(server) as client:
        assert client.text() == "2"
        assert client.close_code() == (1005, "")


def test_a_token_that_is_not_accepted_is_a_connect_error_on_an_open_transport(server: SocketIo) -> None:
    server.order(tokens=["two"])
    try:
        with opened(server) as client:
            client.send('40{"token":"one"}')
            assert next_packet(client) == '44{"message":"invalid token"}'
            client.send('40{"token":"two"}')
            assert next_packet(client).startswith('40{"sid":')
    finally:
        server.order(tokens=[])


@pytest.mark.parametrize("closes", [False, True])
def test_a_disconnect_by_the_server_may_leave_the_transport_open(server: SocketIo, closes: bool) -> None:
    with logged_in(server) as client:
        server.order(disconnect=closes)
        assert next_packet(client) == "41"
        if closes:
            assert client.close_code() == (1005, "")
        else:
            assert client.text() == "2"


def test_a_log_in_that_is_held_back_is_answered_later_and_a_killed_server_comes_back(server: SocketIo) -> None:
    server.order(hold=True)
    with opened(server) as client:
        client.send("40")
        assert client.text() == "2"
        client.send("3")
        server.order(release=True)
        assert next_packet(client).startswith('40{"sid":')
    port = server.port
    server.restart()
    assert server.port == port
    with logged_in(server):
        pass
