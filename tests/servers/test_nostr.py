"""What nostr-relay does on the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.client import dialled
from tests.servers.nostr import EVENTS, NostrRelay

pytestmark = pytest.mark.timeout(300)  # the first one installs the servers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NostrRelay]:
    with NostrRelay(tmp_path_factory.mktemp("nostr")) as running:
        yield running


def test_what_is_stored_comes_before_its_end_and_what_is_published_after_it(server: NostrRelay) -> None:
    server.publish(0)
    with dialled(server.url) as client:
        assert client.ask(["REQ", "a", {"kinds": [1]}]) == ["EVENT", "a", EVENTS[0]]
        assert client.json() == ["EOSE", "a"]
        server.publish(1)
        assert client.json() == ["EVENT", "a", EVENTS[1]]
        client.send(["CLOSE", "a"])  # which is not answered
        assert client.ask(["EVENT", EVENTS[2]])[:3] == ["OK", EVENTS[2]["id"], True]


def test_an_event_whose_signature_is_wrong_is_refused(server: NostrRelay) -> None:
    with dialled(server.url) as client:
        forged = {**EVENTS[3], "sig": "0" * 128}
        assert client.ask(["EVENT", forged])[2] is False


def test_a_killed_relay_has_what_was_stored(server: NostrRelay) -> None:
    server.publish(4)
    port = server.port
    server.restart()
    assert server.port == port
    with dialled(server.url) as client:
        wanted = {"ids": [EVENTS[4]["id"]]}
        assert client.ask(["REQ", "a", wanted]) == ["EVENT", "a", EVENTS[4]]
        assert client.json() == ["EOSE", "a"]
