"""The npm package ``ws`` as the server: what reaches a reader while the server is killed and started again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.peers.programs import NodeServer
from tests.processes import Wscli

CONFIG = """
version: 1
name: node
endpoints:
  node: {{url: "ws://127.0.0.1:{port}", connect: {{rate: 50/s}}}}
backoff:
  default: {{initial: 50ms, max: 200ms}}
channels:
  ticks: {{endpoint: node}}
"""


def numbers(records: list[dict[str, Any]]) -> list[int]:
    return [json.loads(record["data"])["n"] for record in records if record["type"] == "text"]


def test_the_manager_survives_its_server_being_killed_and_started_again(wscli: Wscli, tmp_path: Path) -> None:
    with NodeServer(tmp_path) as server, wscli.up(CONFIG.format(port=server.port)) as manager:
        manager.wait_for("ticks")
        tail = wscli.start("tail", "ticks", "--json", "--last", "10000")
        tail.until_lines(20)

        server.kill()
        manager.wait_for("ticks", state="waiting")
        server.start(first=1000)
        tail.until(lambda: numbers(tail.records()[-1:]) > [1020])

        records = tail.records()
        gaps = [record for record in records if record["type"] == "gap"]
        assert [(gap["channel"], gap["reason"], gap["missed"]) for gap in gaps] == [("ticks", "outage", None)]
        assert gaps[0]["start"] < gaps[0]["end"]
        cut = records.index(gaps[0])
        before, after = records[:cut], records[cut + 1 :]
        assert gaps[0]["after"] == before[-1]["seq"]
        for part in (numbers(before), numbers(after)):
            assert part == list(range(part[0], part[0] + len(part))), "each message once and in order"
        assert numbers(after)[0] >= 1000
        messages = [record for record in records if record["type"] != "gap"]
        sequence = [record["seq"] for record in messages]
        assert sequence == list(range(1, len(messages) + 1)), "the counter flows on"

        channel = manager.stats()["channels"]["ticks"]
        assert channel["state"] == "ready"
        assert (channel["connects"], channel["reconnects"]) == (2, 1)
        assert channel["last_close"]["code"] == 1006
        assert channel["received"] == channel["history"]["last"] >= len(messages)


def test_what_is_sent_reaches_the_server_and_binary_comes_back_as_it_was(wscli: Wscli, tmp_path: Path) -> None:
    with NodeServer(tmp_path, interval_ms=60_000) as server, wscli.up(CONFIG.format(port=server.port)):
        assert wscli("send", "ticks", input="one\ntwo\n").returncode == 0
        assert wscli("send", "ticks", "-", "--binary", input=b"\x00\xff\n").returncode == 0
        seen = wscli("tail", "ticks", "-0", "--last", "10", "--count", "3", "--timeout", "30s")
        assert seen.stdout == '{"echo":"one"}\0{"echo":"two"}\0\x00\udcff\n\0'
