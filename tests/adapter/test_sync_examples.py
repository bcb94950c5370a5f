"""The same for the synchronous client, whose examples the documentation begins with."""

from __future__ import annotations

import itertools
import ssl
import threading

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.frames import Close

from tests.adapter.conftest import Address
from tests.transport.certificates import Certificates
from wscli.adapter import connect as async_connect
from wscli.adapter.sync import ClientConnection, connect, reconnect


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
        assert (websocket.close_code, websocket.close_reason) == (1000, "so long")


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
        assert websocket.latency > 0


def test_another_thread_may_send(url: Address) -> None:
    with connect(url("echo")) as websocket:
        thread = threading.Thread(target=lambda: [websocket.send(str(number)) for number in range(3)])
        thread.start()
        assert list(itertools.islice(websocket, 3)) == ["0", "1", "2"]
        thread.join()


def test_reconnecting_is_an_iteration(url: Address) -> None:
    ticks: list[str | bytes] = []
    for websocket in reconnect(url("flaky")):
        try:
            while len(ticks) < 3:
                ticks.append(websocket.recv())
            break
        except ConnectionClosed:
            continue
    assert ticks == ["tick"] * 3


def test_both_forms_of_connect_are_kept(url: Address) -> None:
    websocket = connect(url("echo"), legacy=True)
    assert isinstance(websocket, ClientConnection)
    websocket.send("hello")
    assert websocket.recv() == "hello"
    websocket.close()
    again = connect(url("echo"), legacy=False)
    assert isinstance(again, reconnect)
    with again as websocket:
        websocket.send("hello")
        assert websocket.recv() == "hello"


def test_the_old_form_warns_as_the_library_does(url: Address) -> None:
    websocket = connect(url("echo"))
    with pytest.warns(DeprecationWarning, match="must be used as a context manager"):
        websocket.send("hello")
    websocket.close()
