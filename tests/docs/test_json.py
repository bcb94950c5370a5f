"""docs/json.md: its tables hold exactly the keys that the commands print, in their order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.backend.process import BackendProcess
from tests.processes import Manager, Wscli
from wscli.control.messages.attempts import SessionStep
from wscli.history.encode import Form, encode_batch
from wscli.history.records import Batch

TEXT = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
CONFIG = """
version: 1
endpoints: {{api: {{url: "{ws}", query: {{token: "{{token.session}}"}}}}}}
tokens: {{session: {{http: {{post: "{http}/ws-token"}}, read: {{token: .token, expires_in: .expires_in}}}}}}
gateway: {{listen: 127.0.0.1:0, auth: {{token: t}}}}
channels:
  feed:
    endpoint: api
    path: /notifications
    history: {{store: disk}}
    backfill: {{http: {{get: "{http}/notifications?after={{gap.n}}"}}, capture: {{n: .n}}, items: .items, id: .n}}
"""


class Scene(NamedTuple):
    """A manager on the demo server: its channel was paused after a first message, and a consumer has read all of it."""

    wscli: Wscli
    manager: Manager

    def objects(self, *args: str) -> list[dict[str, Any]]:
        """Run a verb with ``--json``, whatever it exits with."""
        return [json.loads(line) for line in self.wscli(*args, "--json").stdout.splitlines()]


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with (
        BackendProcess(require_token=False) as demo,
        Wscli() as command,
        command.up(CONFIG.format(ws=demo.ws_url, http=demo.url)) as manager,
    ):
        manager.wait_for("feed")
        demo.order("make_notifications", count=1)
        manager.until_stats(lambda stats: stats["channels"]["feed"]["committed"] == 1)
        assert command("pause", "feed").returncode == 0
        demo.order("make_notifications", count=1)
        assert command("resume", "feed").returncode == 0
        manager.until_stats(lambda stats: stats["channels"]["feed"]["committed"] == 2)
        assert command("tail", "feed", "--consumer", "billing", "--no-follow").returncode == 0
        yield Scene(command, manager)


def keys(section: str, table: int = 0) -> list[str]:
    """Give the first column of a section's table."""
    found = re.search(rf"^## {section}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, section
    return re.findall(r"^\| `(\w+)` \|", found[1].split("| Key | |")[table + 1], re.MULTILINE)


def inner(section: str, key: str) -> list[str]:
    """Give the keys of the object that a row has in braces."""
    row = re.search(rf"^## {section}\n.*?^\| `{key}` \| .*?`{{(.*?)}}`", TEXT, re.MULTILINE | re.DOTALL)
    assert row, key
    return row[1].split(", ")


def test_records_of_tail(scene: Scene) -> None:
    message, gap, missed = scene.objects("tail", "feed", "--no-follow")
    absent = {"backfill", "encoding"}
    assert list(message) == [key for key in keys("tail --json") if key not in absent]
    assert list(missed) == [key for key in keys("tail --json") if key != "encoding"]
    assert list(gap) == keys("tail --json", 1)


def test_a_record_that_has_every_key() -> None:
    ((_, record),) = encode_batch(
        Batch(1, 1764000000.5, [b"\0"], b"b", epoch="k3f9", backfill=True), Form("json", "feed")
    ).parts
    assert list(json.loads(record)) == keys("tail --json")


def test_outcomes_of_send(scene: Scene) -> None:
    (sent,) = scene.objects("send", "feed", "hello")
    assert list(sent) == [key for key in keys("send --json") if key != "id"]
    (queued,) = scene.objects("send", "feed", "hello", "--queue", "--wait")
    assert list(queued) == keys("send --json")
    (lost,) = scene.objects("send", "nowhere", "hello")
    assert (list(lost), lost["outcome"], lost["code"]) == (list(sent), "rejected", 6)


def test_status(scene: Scene) -> None:
    (status,) = scene.objects("status")
    assert list(status) == keys("status --json")
    assert list(status["reason"]) == inner("status --json", "reason")
    assert list(status["next"]) == inner("status --json", "next")
    assert list(status["consumers"]["billing"]) == inner("status --json", "consumers")


def test_doctor(scene: Scene) -> None:
    (doctor,) = scene.objects("doctor", "feed")
    attempt = doctor["attempt"]
    (exchange,) = attempt["exchanges"]
    assert list(doctor) == keys("doctor --json")
    assert list(attempt) == keys("doctor --json", 1) == inner("doctor --json", "attempt")
    assert list(attempt["steps"][0]) == inner("doctor --json", "steps")
    assert list(exchange) == inner("doctor --json", "exchanges")
    assert attempt["session"] == []
    assert list(SessionStep.__annotations__) == inner("doctor --json", "session")
    assert list(exchange["answer"]) == keys("doctor --json", 2)
    assert (exchange["answer"]["status"], "token=***" in exchange["url"]) == (101, True)


def test_consumers(scene: Scene) -> None:
    (consumer,) = scene.objects("consumer", "ls")
    assert list(consumer) == keys("consumer ls --json")


def test_stats(scene: Scene) -> None:
    assert scene.wscli("token", "get", "session").returncode == 0
    (stats,) = scene.objects("stats")
    assert list(stats) == keys("stats --json")
    for key in ("connections", "gateway"):
        assert list(stats[key]) == inner("stats --json", key)
    assert list(stats["tokens"]["session"]) == inner("stats --json", "tokens")
    feed = stats["channels"]["feed"]
    assert list(feed) == keys("stats --json", 1)
    for key in ("last_close", "history", "outbox"):
        assert list(feed[key]) == inner("stats --json", key)


def test_the_outbox(scene: Scene) -> None:
    assert scene.wscli("pause", "feed").returncode == 0
    assert scene.wscli("send", "feed", "hello", "--queue").returncode == 0
    (queued,) = scene.objects("outbox", "ls")
    assert list(queued) == keys("outbox ls --json")
    assert scene.wscli("resume", "feed").returncode == 0
    assert scene.wscli("outbox", "flush", "--timeout", "30s").returncode == 0
