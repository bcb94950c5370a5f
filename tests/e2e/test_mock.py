"""What `tail --json` wrote, replayed by `wscli mock`, is what a manager on the mock receives: the same once more."""

from __future__ import annotations

import json
from typing import Any

from websockets.sync.client import connect

from tests.backend.process import BackendProcess
from tests.processes import Process, Wscli

CONFIG = """
version: 1
name: {name}
endpoints:
  api: {{url: "{url}"}}
backoff:
  default: {{initial: 10ms, jitter: none}}
channels:
  notifications: {{endpoint: api, path: /notifications}}
  consultations/{{id}}: {{endpoint: api, path: "/consultations/{{id}}"}}
"""
CHANNELS = ("notifications", "consultations/7")
BLAST = 300


def of_each(lines: list[str]) -> dict[str, list[tuple[Any, ...]]]:
    """What there is of each channel, without what differs from one time to the next."""
    found: dict[str, list[tuple[Any, ...]]] = {name: [] for name in CHANNELS}
    for record in map(json.loads, lines):
        found[record["channel"]].append((record["type"], record.get("data"), record.get("reason")))
    return found


def base_url(mock: Process) -> str:
    """Where it listens, as it says on stderr."""
    mock.until(lambda: "/notifications " in mock.stderr)
    return next(line.split("/notifications ")[0].strip() for line in mock.err if "/notifications " in line)


def record(wscli: Wscli) -> list[str]:
    """Have a manager on the demo back end, and record text, bytes, and an outage."""
    with BackendProcess(require_token=False) as demo, wscli.up(CONFIG.format(name="live", url=demo.ws_url)) as manager:
        tail = wscli.start("tail", *CHANNELS, "--json")
        tail.until_lines(1)  # the room's welcome: the channel is open for this reader, and not for one that goes again
        manager.wait_for("notifications")
        demo.order("make_notifications", count=5)
        with connect(f"{demo.ws_url}/consultations/7?name=Dr.%20Okafor", proxy=None) as member:
            member.send("grüße \u2028 \x00")
            member.send(bytes(range(256)))
        demo.order("blast", path="/ws/notifications", count=BLAST)
        tail.until(lambda: sum('"pad"' in json.loads(line).get("data", "") for line in tail.out) == BLAST)
        demo.order("kick", path="/ws/notifications", abort=True)
        manager.until_stats(lambda stats: stats["channels"]["notifications"]["connects"] == 2)
        manager.wait_for("notifications")
        demo.order("make_notifications", count=2)
        tail.until(lambda: tail.out and '"n": 7' in json.loads(tail.out[-1]).get("data", ""))
        tail.until(lambda: any('"binary"' in line for line in tail.out))
        tail.stop()
        return tail.out


def test_a_recording_is_replayed_to_a_manager_as_it_was(wscli: Wscli) -> None:
    recorded = record(wscli)
    kinds = {name: [kind for kind, *_ in found] for name, found in of_each(recorded).items()}
    assert kinds["notifications"] == ["text"] * (5 + BLAST) + ["gap"] + ["text"] * 2
    assert "binary" in kinds["consultations/7"]
    file = wscli.file("\n".join(recorded) + "\n", "f.ndjson")

    mock = wscli.start("mock", str(file), "--listen", "127.0.0.1:0", "--speed", "max", "--outages")
    with wscli.up(CONFIG.format(name="offline", url=base_url(mock)), name="offline.yaml"):
        again = wscli.start("tail", *CHANNELS, "--json", "--last", "10000")
        again.until_lines(len(recorded))
        assert of_each(again.out) == of_each(recorded)
        again.stop()
    assert mock.stop() == 0
    assert mock.out == []
