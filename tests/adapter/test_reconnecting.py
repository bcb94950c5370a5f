"""New in `websockets` 17.1: `reconnect`, both forms of `connect`, and redirects without asyncio."""

from __future__ import annotations

import asyncio
import http

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.adapter.answering import UNKNOWN, Managers, managers
from tests.adapter.conftest import Address
from wscli.adapter.sync import ClientConnection, connect, reconnect

__all__ = ["managers"]


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


async def test_a_redirect_is_followed_and_its_target_asked_for(managers: Managers, plain_port: int) -> None:
    managers.add("app", UNKNOWN)
    echo = f"ws://127.0.0.1:{plain_port}/echo/x"

    def redirect(websocket: ServerConnection, request: Request) -> Response:
        answer = websocket.respond(http.HTTPStatus.FOUND, "")
        answer.headers["Location"] = echo
        return answer

    def talk(url: str) -> str | bytes:
        with connect(url) as websocket:
            websocket.send("hello")
            return websocket.recv()

    async with serve(lambda websocket: websocket.wait_closed(), "127.0.0.1", 0, process_request=redirect) as server:
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/old"
        assert await asyncio.to_thread(talk, url) == "hello"
    assert [asked for _, asked in managers.asked] == [url, echo]
