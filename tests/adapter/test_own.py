"""Programs whose channel has `clients: own` or `strict: true`: each speaks with the server as it would alone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close
from websockets.sync.server import ServerConnection
from websockets.typing import Subprotocol

from tests.adapter.upstream import serving
from tests.processes import Wscli, wscli
from wscli.adapter import connect
from wscli.adapter.sync import connect as connect_sync

__all__ = ["wscli"]

pytestmark = pytest.mark.usefixtures("patient")
CONFIG = """\
version: 1
endpoints: {{api: {{url: "ws://127.0.0.1:{port}", connect: {{rate: 1000/s}}}}}}
backoff: {{default: {{initial: 1ms, max: 10ms}}}}
channels:
  own: {{endpoint: api, path: /own, clients: own, open: lazy}}
  strict: {{endpoint: api, path: /strict, strict: true, open: lazy}}
"""


class Server:
    """Says its number to each connection, repeats what it says, and closes as it is told: ``close 4321 reason``."""

    def __init__(self) -> None:
        self.connections: list[ServerConnection] = []
        self.closed: list[Close | None] = []
        self.ended = threading.Semaphore(0)

    def talk(self, websocket: ServerConnection) -> None:
        self.connections.append(websocket)
        try:
            with suppress(ConnectionClosed):
                websocket.send(str(len(self.connections)))
                for message in websocket:
                    words = str(message).split(" ", 2)
                    if words[0] == "close":
                        websocket.close(int(words[1]), words[2])
                    websocket.send(message)
        finally:
            self.closed.append(websocket.protocol.close_rcvd)
            self.ended.release()


def _chosen(websocket: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return offered[-1] if offered else None


@contextmanager
def served(command: Wscli) -> Iterator[tuple[Server, str]]:
    server = Server()
    with serving(server.talk, select_subprotocol=_chosen) as port, command.up(CONFIG.format(port=port)):
        yield server, f"ws://127.0.0.1:{port}"


@pytest.fixture
def here(wscli: Wscli, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Server, str]]:
    """A server and its URL, behind a manager that this process finds."""
    monkeypatch.setenv("WSCLI_RUNTIME_DIR", str(wscli.runtime))
    monkeypatch.setenv("WSCLI_FALLBACK", "error")
    with served(wscli) as found:
        yield found


async def test_each_program_has_an_upstream_with_its_own_subprotocol(here: tuple[Server, str]) -> None:
    _, url = here
    async with connect(f"{url}/own", subprotocols=[Subprotocol("v1"), Subprotocol("v2")]) as one:
        assert (await one.recv(), one.subprotocol) == ("1", "v2")
        async with connect(f"{url}/own", subprotocols=[Subprotocol("v3")]) as other:
            assert (await other.recv(), other.subprotocol) == ("2", "v3")
            await one.send("to one")
            await other.send("to the other")
            assert await one.recv() == "to one"
            assert await other.recv() == "to the other"


async def test_close_codes_pass_in_both_directions(here: tuple[Server, str]) -> None:
    server, url = here
    async with connect(f"{url}/own") as websocket:
        assert await websocket.recv() == "1"
        await websocket.send("close 4321 so long")
        with pytest.raises(ConnectionClosed) as caught:
            await websocket.recv()
    assert caught.value.rcvd == Close(4321, "so long")
    async with connect(f"{url}/own") as websocket:
        assert await websocket.recv() == "2"
        await websocket.close(4000, "enough")
    for _ in range(2):
        await asyncio.to_thread(server.ended.acquire)
    assert server.closed[1] == Close(4000, "enough")


def test_the_synchronous_program_too(here: tuple[Server, str]) -> None:
    _, url = here
    with connect_sync(f"{url}/own") as websocket:
        assert websocket.recv() == "1"
        websocket.send("close 4321 so long")
        with pytest.raises(ConnectionClosed) as caught:
            websocket.recv()
    assert caught.value.rcvd == Close(4321, "so long")


@pytest.mark.parametrize("channel", ["own", "strict"])
async def test_a_program_is_told_of_a_lost_upstream_and_connects_again(here: tuple[Server, str], channel: str) -> None:
    server, url = here
    codes = []
    async with aclosing(aiter(connect(f"{url}/{channel}"))) as connections:
        async for websocket in connections:
            try:
                await websocket.send("hello")
                while await websocket.recv() != "hello":
                    pass
                if codes:
                    break
                server.connections[-1].socket.shutdown(2)
                await websocket.recv()
            except ConnectionClosed:
                codes.append(websocket.protocol.close_code)
    assert codes == [1014]
