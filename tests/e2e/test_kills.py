"""A manager killed again and again under a stream: nothing recorded is lost or repeated, and each kill is told."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import threading
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from tests.e2e.upstream import in_background
from tests.examples import EXAMPLES
from tests.processes import Manager, Wscli
from tests.waiting import until

KILLS = 50 if EXAMPLES >= 10_000 else 6
MESSAGES = 200_000 // 50
"""In the stream between two kills, at least."""

CONFIG = """
version: 1
endpoints: {{api: {{url: "ws://127.0.0.1:{port}", compression: none}}}}
backoff: {{default: {{initial: 20ms, max: 100ms}}}}
channels:
  feed: {{endpoint: api, history: {{store: disk}}}}
"""


class Counting:
    """A server that counts: each message is the next number, whoever is connected."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._sent = 0
        self._more = threading.Condition()

    def until_sent(self, more: int) -> None:
        """Return once so many messages more were sent."""
        with self._more:
            goal = self._sent + more
            assert self._more.wait_for(lambda: self._sent >= goal, 60)

    def feed(self, connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                for _ in range(100):
                    connection.send(str(next(self._numbers)))
                time.sleep(0.002)  # some ten thousand a second: what is recorded is to be compared, in this process
                with self._more:
                    self._sent += 100
                    self._more.notify_all()


def stored(stats: dict[str, Any]) -> bool:
    """Say whether a message that this manager received is on its disk."""
    feed = stats["channels"]["feed"]
    return bool(feed["received"] and feed["committed"] > feed["history"]["last"] - feed["received"])


def check(records: list[dict[str, Any]], kills: int) -> dict[int, str]:
    """See that numbers rise by one, and that payloads jump only where a gap stands; give the payloads by number."""
    before: dict[str, Any] | None = None
    gap = False
    gaps = 0
    for record in records:
        if record["type"] == "gap":
            assert record["reason"] == "outage"
            gap, gaps = True, gaps + 1
            continue
        if before is not None:
            assert record["seq"] == before["seq"] + 1
            jumps = int(record["data"]) != int(before["data"]) + 1
            assert gap or not jumps, (before, record)
        before, gap = record, False
    assert gaps == kills, "one gap a kill"
    return {record["seq"]: record["data"] for record in records if record["type"] == "text"}


@pytest.mark.timeout(900)
def test_a_manager_killed_under_a_stream_loses_and_repeats_nothing_recorded(wscli: Wscli) -> None:
    chance = random.Random(3)
    server = Counting()
    with in_background(server.feed, compression=None) as port:
        text = CONFIG.format(port=port)
        manager: Manager = wscli.up(text).__enter__()
        manager.until_stats(stored)
        follower = wscli.start("tail", "feed", "--consumer", "follower", "--json", "--retry")
        visits: list[dict[str, Any]] = []
        for _ in range(KILLS):
            server.until_sent(MESSAGES)
            if chance.random() < 0.5:
                done = wscli("tail", "feed", "--consumer", "visitor", "--no-follow", "--json", timeout=60)
                assert done.returncode == 0, done.stderr
                visits += [json.loads(line) for line in done.stdout.splitlines()]
            server.until_sent(1 + chance.randrange(1000))
            manager.kill()
            manager = wscli.up(text).__enter__()
            manager.until_stats(stored)  # and the gap before it, so that the next kill has one of its own
        server.until_sent(1)
    manager.until_stats(lambda stats: stats["channels"]["feed"]["state"] != "ready")
    until(lambda: (feed := manager.stats()["channels"]["feed"])["committed"] == feed["history"]["last"])
    last = manager.stats()["channels"]["feed"]["history"]["last"]
    everything = wscli("tail", "feed", "--no-follow", "--json", timeout=120)
    recorded = check([json.loads(line) for line in everything.stdout.splitlines()], KILLS)
    assert list(recorded) == list(range(1, last + 1))

    done = wscli("tail", "feed", "--consumer", "visitor", "--no-follow", "--json", timeout=120)
    visits += [json.loads(line) for line in done.stdout.splitlines()]
    assert check(visits, KILLS) == recorded

    follower.until(lambda: f'"seq":{last},' in (follower.out[-1] if follower.out else ""), 60)
    assert check(follower.records(), KILLS) == recorded
    follower.stop()
    assert manager.stop() == 0
