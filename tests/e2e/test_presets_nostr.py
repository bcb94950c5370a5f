"""The preset ``nostr`` with nostr-relay."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.presets import ready_only_once_answered, running
from tests.processes import Wscli
from tests.servers.nostr import EVENTS, NostrRelay

pytestmark = pytest.mark.timeout(300)  # the first one installs the servers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NostrRelay]:
    with NostrRelay(tmp_path_factory.mktemp("nostr")) as started:
        yield started


def test_it_is_not_ready_before_the_relay_answered(wscli: Wscli, server: NostrRelay) -> None:
    text = """
endpoints: {relay: {preset: nostr, url: "ws://127.0.0.1:PORT"}}
channels: {notes: {endpoint: relay, with: {filter: {kinds: [1]}}}}
"""
    ready_only_once_answered(wscli, text, server.port, "notes")


def test_what_is_stored_and_what_is_published_arrives_once_also_over_a_kill(wscli: Wscli, server: NostrRelay) -> None:
    server.publish(0)
    text = f"""
endpoints: {{relay: {{preset: nostr, url: "{server.url}"}}}}
channels: {{notes: {{endpoint: relay, with: {{filter: {{kinds: [1]}}}}}}}}
"""
    with running(wscli, text) as it:
        it.manager.wait_for("notes")
        server.publish(1)
        assert [json.loads(one) for one in it.messages("notes", count=2)] == EVENTS[:2]
        server.kill()
        it.until_state("notes", "waiting")
        server.start()
        it.manager.wait_for("notes")
        assert wscli("send", "notes", json.dumps(EVENTS[2])).returncode == 0
        assert [json.loads(one) for one in it.messages("notes", count=3)] == EVENTS[:3]
