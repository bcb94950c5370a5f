"""A channel whose connection is replaced again and again: every message once, no gap, and every send arrives."""

from __future__ import annotations

import json
from typing import Any

from tests.backend.process import BackendProcess
from tests.processes import Wscli

CHANNELS = ("notifications: {path: /notifications, dedupe: .n}", 'rooms/{id}: {path: "/consultations/{id}"}')
ROTATIONS = 3


def test_nothing_is_lost_or_repeated_while_connections_are_replaced(wscli: Wscli, backend: BackendProcess) -> None:
    with wscli.up(backend.config("rotating", *CHANNELS, endpoint=", rotate: {max_age: 1s}")) as manager:
        manager.wait_for("notifications")
        tail = wscli.start("tail", "notifications")
        room = wscli.start("tail", "rooms/7")
        manager.until_stats(lambda stats: "rooms/7" in stats["channels"])  # a wait alone would open it and close it
        manager.wait_for("rooms/7")
        sent = last = 0
        stats: dict[str, dict[str, Any]] = {}
        while not stats or min(stats[name]["rotations"] for name in ("notifications", "rooms/7")) < ROTATIONS:
            assert wscli("send", "rooms/7", f"message {sent}").returncode == 0
            sent += 1
            last = backend.order("make_notifications", count=20)["last"]
            stats = wscli.json("stats", "--json")["channels"]
        tail.until(lambda: last in numbers(tail.out))
        room.until(lambda: sum('"sent"' in line for line in room.out) >= sent)
        came = numbers(tail.out)
        assert sorted(came) == list(range(min(came), max(came) + 1)), "each once"
        for channel in stats.values():
            assert (channel["reconnects"], channel["gaps"]) == (0, {})
        assert tail.err == room.err == []


def numbers(lines: list[str]) -> list[int]:
    return [json.loads(line)["n"] for line in lines]
