"""The preset ``jsonrpc`` with anvil, a node of an Ethereum chain."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.presets import ready_only_once_answered, running
from tests.processes import Wscli
from tests.servers.anvil import Anvil


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Anvil]:
    with Anvil(tmp_path_factory.mktemp("anvil")) as started:
        yield started


def test_it_is_not_ready_before_the_node_answered(wscli: Wscli, server: Anvil) -> None:
    text = """
endpoints: {node: {preset: jsonrpc, url: "ws://127.0.0.1:PORT"}}
channels: {heads: {endpoint: node, with: {params: [newHeads]}}}
"""
    ready_only_once_answered(wscli, text, server.port, "heads")


def test_blocks_arrive_calls_are_answered_and_a_killed_node_is_subscribed_again(wscli: Wscli, server: Anvil) -> None:
    text = f"""
endpoints: {{node: {{preset: jsonrpc, url: "{server.url}"}}}}
channels:
  heads: {{endpoint: node, with: {{params: [newHeads]}}}}
  again: {{endpoint: node, with: {{params: [newHeads]}}}}
  wrong: {{endpoint: node, with: {{params: [nothing]}}}}
"""
    with running(wscli, text) as it:
        it.manager.wait_for("heads", "again")
        it.until_state("wrong", "failed")
        assert it.connections() == (1, 1)
        server.mine()
        assert json.loads(it.messages("heads", count=1)[0])["number"] == "0x1"
        assert json.loads(it.messages("again", count=1)[0])["number"] == "0x1"
        assert it.ask("heads", {"method": "eth_blockNumber", "params": []})["result"] == "0x1"

        server.kill()
        it.until_state("heads", "waiting")
        server.start()
        it.manager.wait_for("heads", "again")
        server.mine()
        assert len(it.messages("heads", count=2)) == 2
