"""The same for the synchronous client, whose examples the documentation begins with."""

from __future__ import annotations

import itertools
import ssl
import threading

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.frames import Close

from tests.adapter.conftest import Address
from tests.transport.certificates import Certificates
from wscli.adapter import connect as async_connect
from wscli.adapter.sync import connect


def test_hello(url: Address) -> None:
    with connect(url("hello")) as websocket:
        websocket.send("Ada")
        assert websocket.recv() == "Hello Ada!"


def test_hello_over_tls(secure_url: str, certs: Certificates) -> None:
    ssl_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ssl_context.load_verify_locations(certs.ca)
    with connect(secure_url, ssl=ssl_context) as websocket:
        websocket.send("Ada")
        assert websocket.recv() == "Ada"


async def test_hello_over_tls_in_a_loop(secure_url: str, certs: Certificates) -> None:
    ssl_context = ssl.create_default_context(cafile=certs.ca)
    async with async_connect(secure_url, ssl=ssl_context, server_hostname="127.0.0.1") as websocket:
        await websocket.send("Ada")
        assert await websocket.recv() == "Ada"


def test_iterating_ends_with_the_connection(url: Address) -> None:
    with connect(url("end/1000")) as websocket:
        websocket.send("go")
        assert list(websocket) == ["the last"]
        assert (websocket.protocol.close_code, websocket.protocol.close_reason) == (1000, "so long")


def test_the_server_ends_it_with_a_code_of_its_own(url: Address) -> None:
    with connect(url("end/4321")) as websocket:
        websocket.send("go")
        assert websocket.recv() == "the last"
        with pytest.raises(ConnectionClosedError) as caught:
            websocket.recv()
    assert caught.value.rcvd == Close(4321, "so long")


def test_a_receive_has_a_timeout(url: Address) -> None:
    with connect(url("echo")) as websocket:
        with pytest.raises(TimeoutError):
            websocket.recv(timeout=0.001)
        websocket.send("still there")
        assert websocket.recv(timeout=30) == "still there"


def test_fragments_and_kinds(url: Address) -> None:
    with connect(url("echo")) as websocket:
        websocket.send(["1", "2"])
        assert "".join(map(str, websocket.recv_streaming())) == "12"
        websocket.send(b"\x00\xff")
        assert websocket.recv() == b"\x00\xff"


def test_ping_gives_an_event(url: Address) -> None:
    with connect(url("echo")) as websocket:
        assert websocket.ping().wait(10)


def test_another_thread_may_send(url: Address) -> None:
    with connect(url("echo")) as websocket:
        thread = threading.Thread(target=lambda: [websocket.send(str(number)) for number in range(3)])
        thread.start()
        assert list(itertools.islice(websocket, 3)) == ["0", "1", "2"]
        thread.join()
