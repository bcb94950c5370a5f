"""An idle client of the gateway lives behind a proxy that closes idle connections."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from tests.e2e.upstream import in_background
from tests.gateway.faced import upgrade_request
from tests.processes import Manager, Wscli
from tests.servers.reverse_proxies import PROXIES, ReverseProxy

TOKEN = "a-token-for-proxies"
CONFIG = """
version: 1
gateway: {{listen: "127.0.0.1:0", auth: {{token: {token}}}, keepalive: {keepalive}}}
endpoints: {{api: {{url: "ws://127.0.0.1:{port}"}}}}
channels: {{news: {{endpoint: api}}}}
"""
PING, PONG = b"\x89\x00", b"\x8a\x80\x00\x00\x00\x00"
IDLE = 4
"""Seconds after which the proxy closes an idle connection."""
PINGS = 12
"""At 2 a second they outlast the limit."""


@contextmanager
def gateway(keepalive: str) -> Iterator[int]:
    """The port of a gateway."""
    with in_background(stay) as upstream, Wscli() as wscli:
        config = CONFIG.format(token=TOKEN, keepalive=keepalive, port=upstream)
        with wscli.up(config) as manager:
            manager.wait_for("news")
            yield port_of(manager)


def stay(client: ServerConnection) -> None:
    """Say nothing until the client leaves."""
    with contextlib.suppress(ConnectionClosed):
        client.recv()


def port_of(manager: Manager) -> int:
    [address] = manager.stats()["gateway"]["listen"]
    return int(address.rpartition(":")[2])


def client(proxy: ReverseProxy, port: int) -> socket.socket:
    """An idle client of the gateway at a port, through a proxy."""
    sock = socket.create_connection(("127.0.0.1", proxy.port), timeout=60)
    sock.sendall(upgrade_request(port, TOKEN))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    return sock


@contextmanager
def idle_clients(keepalive: str, directory: Path, *, idle: int) -> Iterator[list[socket.socket]]:
    """A client behind each proxy, all of one gateway."""
    with ExitStack() as stack:
        port = stack.enter_context(gateway(keepalive))
        clients = []
        for number, kind in enumerate(PROXIES):
            home = directory / str(number)
            home.mkdir()
            proxy = stack.enter_context(kind(home, port, idle))
            clients.append(stack.enter_context(client(proxy, port)))
        yield clients


def test_an_idle_client_lives_behind_each(tmp_path: Path) -> None:
    with idle_clients("{ping: 500ms}", tmp_path, idle=IDLE) as clients:
        for _ in range(PINGS):
            for one in clients:
                assert one.recv(2, socket.MSG_WAITALL) == PING
                one.sendall(PONG)


def test_without_pings_an_idle_client_is_cut_off_by_each(tmp_path: Path) -> None:
    with idle_clients("none", tmp_path, idle=1) as clients:
        for one in clients:
            assert one.recv(2)[:1] in (b"", b"\x88")  # the end of the connection, or a close frame
