"""What a server sent while nobody listened is asked for over HTTP, and reaches readers in its place, each once."""

from __future__ import annotations

import json
from typing import Any

from tests.backend.process import BackendProcess
from tests.processes import Wscli

BACKFILL = """\
notifications: {{
    path: /notifications,
    history: {{store: disk}},
    backfill: {{
      http: {{get: "{http}/notifications?after={{gap.n}}", headers: {{Authorization: "Bearer {{token.session}}"}}}},
      capture: {{n: .n}}, items: .items, id: .n}}}}"""
MISSED = 250
"""More than two pages of the back end's."""


def records(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def numbers(lines: list[str]) -> list[int]:
    return [json.loads(record["data"])["n"] for record in records(lines) if record["type"] == "text"]


def test_a_stream_without_a_hole_through_outages_and_kills_of_the_manager(
    wscli: Wscli, backend: BackendProcess
) -> None:
    backoff = "backoff: {default: {initial: 50ms, max: 200ms}}\n"
    config = backend.config("filling", BACKFILL.format(http=backend.url), more=backoff)
    with wscli.up(config) as manager:
        manager.wait_for("notifications")
        backend.order("make_notifications", count=10)
        tail = wscli.start("tail", "notifications", "--json", "--consumer", "billing", "--retry")
        tail.until(lambda: len(numbers(tail.out)) == 10)
        backend.order("deny", path="/ws/notifications", status=503)
        backend.order("kick", code=1012)
        wscli("wait", "notifications", "--for", "waiting", "--timeout", "30s")
        backend.order("make_notifications", count=MISSED)
        backend.order("allow")
        tail.until(lambda: len(numbers(tail.out)) == 10 + MISSED)
        manager.kill()
        backend.order("make_notifications", count=MISSED)
    with wscli.up(config) as manager:
        tail.until(lambda: len(numbers(tail.out)) == 10 + 2 * MISSED)
        last = backend.order("make_notifications", count=5)["last"]
        tail.until(lambda: last in numbers(tail.out))
        assert numbers(tail.out) == list(range(1, last + 1)), "each once, and in order"
        gaps = [record for record in records(tail.out) if record["type"] == "gap"]
        assert [gap["after"] for gap in gaps] == [10, 10 + MISSED]
        assert [(gap["reason"], gap["backfilled"]) for gap in gaps] == [("outage", MISSED)] * 2
        marked = [record["seq"] for record in records(tail.out) if record.get("backfill")]
        assert marked == list(range(11, 11 + 2 * MISSED))
        stats = wscli.json("stats", "--json")["channels"]["notifications"]
        assert (stats["received"], stats["backfilled"]) == (5, MISSED)
