"""Readers and senders of three channels: three connections, one token, every message once and in order."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import psutil

from tests.backend.process import BackendProcess
from tests.processes import Wscli

CHANNELS = ("notifications", "calls", "rooms/7")
READERS = 4
MESSAGES = 3000
SENDERS = 6
EACH = 200


def config(backend: BackendProcess, more: str = "") -> str:
    rooms = 'rooms/{id}: {path: "/consultations/{id}"}'
    return backend.config("shared", f"notifications: {{path: /notifications{more}}}", "calls: {path: /calls}", rooms)


def numbers(lines: list[str]) -> list[int]:
    """The numbers of the blast's messages, in the order in which they were printed."""
    found = (json.loads(line) for line in lines)
    return [message["n"] for message in found if "pad" in message]


def readers_of(stats: dict[str, Any]) -> dict[str, int]:
    return {name: one["readers"] for name, one in stats["channels"].items()}


def test_readers_and_senders_share_three_connections_and_one_token(wscli: Wscli, backend: BackendProcess) -> None:
    with wscli.up(config(backend)) as manager:
        readers = {name: [wscli.start("tail", name) for _ in range(READERS)] for name in CHANNELS}
        manager.until_stats(lambda stats: readers_of(stats) == dict.fromkeys(CHANNELS, READERS))
        manager.wait_for(*CHANNELS)
        senders = [wscli.start("send", "rooms/7", stdin=True) for _ in range(SENDERS)]
        backend.order("blast", count=MESSAGES)
        for number, sender in enumerate(senders):
            sender.write("".join(f"{number}:{count}\n" for count in range(EACH)))
            assert sender.popen.stdin is not None
            sender.popen.stdin.close()
        assert [sender.wait() for sender in senders] == [0] * SENDERS

        for tails in readers.values():
            for tail in tails:
                tail.until(lambda tail=tail: len(numbers(tail.out)) >= MESSAGES)
                assert numbers(tail.out) == list(range(1, MESSAGES + 1))
        receipts = SENDERS * EACH
        for tail in readers["rooms/7"]:
            tail.until(lambda tail=tail: sum('"sent"' in line for line in tail.out) >= receipts)
            assert [json.loads(line)["n"] for line in tail.out if '"sent"' in line] == list(range(1, receipts + 1))

        late = wscli("tail", "notifications", "--last", str(MESSAGES), "--count", str(MESSAGES))
        assert numbers(late.stdout.splitlines()) == list(range(1, MESSAGES + 1))
        records = [json.loads(line) for line in wscli("tail", "calls", "--no-follow", "--json").stdout.splitlines()]
        middle = records[len(records) // 2]
        cursor = f"{middle['epoch']}:{middle['seq']}"
        rest = wscli("tail", "calls", "--after", cursor, "--json", "--no-follow")
        assert [json.loads(line) for line in rest.stdout.splitlines()] == records[len(records) // 2 + 1 :]

        stats = manager.stats()
        seen = backend.stats()
        assert (seen["dials"], seen["connections"]["peak"], seen["token_requests"]) == (3, 3, 1)
        assert stats["connections"]["active"] == 3
        assert readers_of(stats) == dict.fromkeys(CHANNELS, READERS)
        assert stats["channels"]["rooms/7"]["sent"] == receipts


def test_a_stuck_reader_costs_one_batch_and_learns_what_it_missed(wscli: Wscli, backend: BackendProcess) -> None:
    """Repeated where the machine gave the good reader no turn for a second, after which that counts as stuck too."""
    assert any(the_good_reader_misses_nothing(wscli, backend) for _ in range(3))


def the_good_reader_misses_nothing(wscli: Wscli, backend: BackendProcess) -> bool:
    count, window = 100_000, ", history: {keep: 2000, max_size: 1MiB}"
    with wscli.up(config(backend, window)) as manager:
        good = wscli.start("tail", "notifications", "--json")
        stuck = wscli.start("tail", "notifications", "--json")
        manager.until_stats(lambda stats: readers_of(stats)["notifications"] == 2)
        manager.wait_for("notifications")
        process = psutil.Process(manager.pid)
        os.kill(stuck.pid, signal.SIGSTOP)
        backend.order("blast", path="/ws/notifications", count=2000)  # what is allocated once, is by now
        good.until(lambda: good.out and '\\"n\\":2000,' in good.out[-1])
        before = process.memory_info().rss
        backend.order("blast", path="/ws/notifications", count=count)
        good.until(lambda: f'\\"n\\":{count},' in good.out[-1])
        grown = process.memory_info().rss - before
        assert grown < 8 << 20, f"{grown} bytes more"
        read = good.records()
        if any(record["type"] == "gap" for record in read):
            good.kill()
            stuck.kill()
            return False
        assert [record["seq"] for record in read if record["type"] == "text"] == list(range(1, 2001 + count))
        assert len(read) == 2000 + count, "the good reader has no gap"

        os.kill(stuck.pid, signal.SIGCONT)
        last = read[-1]["seq"]
        stuck.until(lambda: stuck.out and json.loads(stuck.out[-1]).get("seq") == last)
        records = stuck.records()
        gaps = [record for record in records if record["type"] == "gap"]
        assert [gap["reason"] for gap in gaps] == ["lagged"]
        at = records.index(gaps[0])
        assert gaps[0]["after"] == records[at - 1]["seq"]
        assert gaps[0]["missed"] == records[at + 1]["seq"] - records[at - 1]["seq"] - 1
        assert len(records) - 1 + gaps[0]["missed"] == last
        assert manager.stats()["channels"]["notifications"]["reconnects"] == 0
        return True
