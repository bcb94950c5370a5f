"""What Django Channels under daphne does on the wire."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest
from websockets.exceptions import InvalidStatus

from tests.servers.channels_daphne import ChannelsDaphne
from tests.servers.client import PlainClient, dialled

pytestmark = pytest.mark.timeout(300)  # the first one installs the servers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChannelsDaphne]:
    with ChannelsDaphne(tmp_path_factory.mktemp("channels")) as running:
        yield running


def opened(server: ChannelsDaphne, query: str = "") -> AbstractContextManager[PlainClient]:
    return dialled(server.url("a") + query, headers=[server.origin])


def test_a_room_its_messages_an_answer_and_a_close(server: ChannelsDaphne) -> None:
    with opened(server) as client:
        server.order(publish={"room": "b", "text": "no"})
        server.order(publish={"room": "a", "text": "yes"})
        assert client.json() == {"room": "a", "text": "yes"}
        assert client.ask({"id": 1, "echo": "x"}) == {"id": 1, "echo": "x"}
        client.send({"close": 4100})
        assert client.close_code() == (4100, "")


def test_an_upgrade_without_an_origin_that_it_knows_is_an_http_403(server: ChannelsDaphne) -> None:
    for headers in ([], [("Origin", "https://evil.example")]):
        with pytest.raises(InvalidStatus) as refused, dialled(server.url("a"), headers=headers):
            pass
        assert refused.value.response.status_code == 403


def test_a_token_that_is_not_accepted_is_an_http_403(server: ChannelsDaphne) -> None:
    server.order(tokens=["two"])
    try:
        with pytest.raises(InvalidStatus) as refused, opened(server, "?token=one"):
            pass
        assert refused.value.response.status_code == 403
        with opened(server, "?token=two") as client:
            assert client.ask({"id": 1, "echo": "x"}) == {"id": 1, "echo": "x"}
    finally:
        server.order(tokens=[])


def test_an_upgrade_that_is_held_back_is_answered_later_and_a_killed_server_comes_back(server: ChannelsDaphne) -> None:
    server.order(hold=True)
    waker = threading.Thread(target=server.order, kwargs={"release": True})  # once the upgrade is held
    waker.start()
    with opened(server):
        waker.join()
    port = server.port
    server.restart()
    assert server.port == port
    with opened(server) as client:
        assert client.ask({"id": 1, "echo": "x"}) == {"id": 1, "echo": "x"}
