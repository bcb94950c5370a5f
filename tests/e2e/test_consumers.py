"""Named consumers and ``tail --retry``: nothing that was written out comes again, nothing is missed."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.backend.process import BackendProcess
from tests.processes import COMMAND, Manager, Wscli
from tests.waiting import until

CONFIG = """
version: 1
endpoints: {{api: {{url: "{url}"}}}}
backoff: {{default: {{initial: 50ms, max: 200ms}}}}
channels:
  feed: {{endpoint: api, path: /notifications, history: {{store: disk}}}}
  calls: {{endpoint: api, path: /calls}}
"""


class Scene:
    """A manager on a demo server without tokens."""

    def __init__(self, wscli: Wscli, demo: BackendProcess) -> None:
        self.wscli = wscli
        self.demo = demo
        self.text = CONFIG.format(url=demo.ws_url)
        self.manager: Manager = self.up()

    def up(self) -> Manager:
        self.manager = self.wscli.up(self.text).__enter__()
        self.manager.wait_for("feed")
        return self.manager

    def add(self, count: int) -> None:
        """Have so many messages committed."""
        wanted = self.feed()["received"] + count
        self.demo.order("make_notifications", count=count)
        until(lambda: (feed := self.feed())["received"] >= wanted and feed["committed"] == feed["history"]["last"])

    def feed(self) -> dict[str, Any]:
        stats: dict[str, Any] = self.manager.stats()["channels"]["feed"]
        return stats

    def read(self, *args: str, code: int = 0) -> list[int]:
        """Run ``tail feed --json`` to its end; give the numbers that it printed."""
        done = self.wscli("tail", "feed", "--json", *args)
        assert done.returncode == code, done.stderr
        return [record["seq"] for record in map(json.loads, done.stdout.splitlines()) if record["type"] != "gap"]


@pytest.fixture
def scene(wscli: Wscli) -> Iterator[Scene]:
    with BackendProcess(require_token=False) as demo:
        scene = Scene(wscli, demo)
        yield scene
        assert scene.manager.stop() == 0


def test_a_consumer_goes_on_where_it_stopped(scene: Scene) -> None:
    scene.add(10)
    assert scene.read("--consumer", "a", "--count", "3") == [1, 2, 3]
    assert scene.read("--consumer", "a", "--jq", ".", "--count", "2") == [4, 5], "jq stops within a batch"
    assert scene.read("--consumer", "a", "--no-follow") == [6, 7, 8, 9, 10]
    assert scene.read("--consumer", "a", "--no-follow") == []
    assert scene.read("--consumer", "late", "--last", "2", "--no-follow") == [9, 10]
    assert scene.read("--consumer", "late", "--last", "5", "--no-follow") == [], "--last is for a new one alone"
    assert scene.read("--consumer", "a", "--idle-timeout", "100ms", code=124) == []
    assert scene.read("--last", "10", "--count", "10") == list(range(1, 11)), "others are not concerned"
    assert scene.feed()["consumers"]["a"] == {"seq": 10, "lag": 0, "held_by": None}

    assert scene.manager.stop() == 0
    scene.up()
    scene.add(2)
    done = scene.wscli("tail", "feed", "--consumer", "a", "--json", "--no-follow")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record.get("seq", record.get("reason")) for record in records] == ["outage", 11, 12]


def test_one_process_reads_by_a_name_and_its_position_is_kept_however_it_ends(scene: Scene) -> None:
    scene.add(5)
    for number in (signal.SIGTERM, signal.SIGINT):
        tail = scene.wscli.start("tail", "feed", "--consumer", "a", "--json")
        last = scene.feed()["history"]["last"]
        tail.until(lambda tail=tail, last=last: f'"seq":{last},' in "".join(tail.out))
        second = scene.wscli("tail", "feed", "--consumer", "a")
        assert second.returncode == 1
        assert second.stderr.splitlines()[0] == f"error: consumer 'a' is read by process {tail.pid}"
        assert tail.stop(number) == 128 + number
        assert scene.feed()["consumers"]["a"] == {"seq": last, "lag": 0, "held_by": None}
        scene.add(2)
    killed = scene.wscli.start("tail", "feed", "--consumer", "a", "--json")
    killed.until_lines(2)
    killed.kill()
    seen = [record["seq"] for record in killed.records()]
    again = scene.read("--consumer", "a", "--no-follow")
    assert sorted({*seen, *again}) == [8, 9], "what was not confirmed may come again; nothing is lost"


def test_what_a_closed_stdout_did_not_take_comes_again(scene: Scene) -> None:
    scene.add(4)
    command = [*COMMAND, "tail", "feed", "--consumer", "a", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=scene.wscli.env, cwd=scene.wscli.directory) as tail:
        assert tail.stdout is not None
        lines = [json.loads(tail.stdout.readline())["seq"] for _ in range(4)]
        tail.stdout.close()
        assert tail.wait(30) == 0
    scene.add(2)
    assert lines + scene.read("--consumer", "a", "--no-follow") == [1, 2, 3, 4, 5, 6]


def test_consumers_are_listed_reset_and_forgotten(scene: Scene) -> None:
    scene.add(3)
    scene.read("--consumer", "b", "--count", "2")
    scene.read("--consumer", "a", "--count", "1")
    listed = [json.loads(line) for line in scene.wscli("consumer", "ls", "--json").stdout.splitlines()]
    assert [(one["channel"], one["held_by"]) for one in listed] == [("feed", None)] * 2
    assert [(one["consumer"], one["lag"]) for one in listed] == [("a", 2), ("b", 1)]
    assert "feed     a         " in scene.wscli("consumer", "ls", "feed").stdout
    assert re.search(r"READ BY +MOVED\n.* ago\n", scene.wscli("consumer", "ls", "feed").stdout, re.DOTALL)
    for to, rest in (("end", []), ("start", [1, 2, 3]), (listed[0]["cursor"], [2, 3])):
        assert scene.wscli("consumer", "reset", "feed", "a", "--to", to).returncode == 0
        assert scene.read("--consumer", "a", "--no-follow") == rest
    assert scene.wscli("consumer", "rm", "feed", "b").returncode == 0
    for args, code, words in (
        (("consumer", "rm", "feed", "b"), 1, "there is no consumer 'b'"),
        (("consumer", "reset", "calls", "a"), 2, "channel 'calls' keeps its history in memory"),
        (("consumer", "ls", "nowhere"), 6, "no channel 'nowhere' in instance 'app'"),
        (("tail", "calls", "--consumer", "a"), 2, "channel 'calls' keeps its history in memory"),
        (("tail", "feed", "calls", "--consumer", "a"), 2, "--consumer goes with one channel"),
    ):
        done = scene.wscli(*args)
        assert (done.returncode, words in done.stderr, "hint: " in done.stderr) == (code, True, True), done.stderr


def test_status_has_the_lag_and_a_watch_says_nothing_of_acknowledgements(scene: Scene) -> None:
    scene.add(3)
    scene.read("--consumer", "a", "--count", "1")
    watch = scene.wscli.start("status", "feed", "--watch", "--json")
    watch.until_lines(1)
    assert scene.read("--consumer", "a", "--count", "1") == [2]
    assert scene.wscli("pause", "feed").returncode == 0
    before, change = (json.loads(line) for line in watch.until_lines(2)[:2])
    assert (before["state"], before["consumers"]) == ("ready", {"a": {"seq": 1, "lag": 2, "held_by": None}})
    assert (change["state"], change["consumers"]) == ("paused", {"a": {"seq": 2, "lag": 1, "held_by": None}})
    assert watch.stop() == 143
    shown = scene.wscli("status").stdout.splitlines()
    assert shown[-1] == "consumer: feed: a is 1 message behind; without a reader"
    assert json.loads(scene.wscli("status", "calls", "--json").stdout)["consumers"] == {}


def test_retry_waits_for_the_manager_and_goes_on(scene: Scene) -> None:
    scene.add(2)
    tails = [
        scene.wscli.start("tail", "feed", "--last", "1", "--json", "--retry", "--count", "4"),
        scene.wscli.start("tail", "feed", "calls", "--json", "--retry"),
        scene.wscli.start("tail", "feed", "--consumer", "a", "--json", "--retry", "--count", "5"),
        scene.wscli.start("tail", "feed", "--json"),
    ]
    scene.manager.until_stats(lambda stats: stats["channels"]["feed"]["readers"] == 4)
    tails[0].until_lines(1)
    tails[2].until_lines(2)
    assert scene.manager.stop() == 0
    assert tails[3].wait() == 5, "without it, a manager that goes is the end"
    for tail in tails[:3]:
        tail.until(lambda tail=tail: "waits for a manager" in tail.stderr)
    scene.up()
    for tail in tails[:3]:
        tail.until(lambda tail=tail: "the manager is there" in tail.stderr)
    scene.manager.until_stats(lambda stats: stats["channels"]["feed"]["readers"] == 3)
    scene.add(3)
    assert (tails[0].wait(), tails[2].wait()) == (0, 0)
    assert [record.get("seq", record.get("reason")) for record in tails[0].records()] == [2, "outage", 3, 4, 5]
    assert [record.get("seq", record.get("reason")) for record in tails[2].records()] == [1, 2, "outage", 3, 4, 5]
    tails[1].until(lambda: any('"seq":5,' in line for line in tails[1].out))
    reasons = {(record["channel"], record.get("reason")) for record in tails[1].records()}
    assert reasons == {("feed", None), ("feed", "outage"), ("calls", "reset")}
    assert tails[1].stop() == 143
    none = scene.wscli("tail", "feed", "-i", "nobody", "--retry", "--timeout", "300ms")
    assert (none.returncode, "waits for a manager" in none.stderr) == (124, True)


def test_commands_take_messages_and_the_position_follows_them(scene: Scene) -> None:
    scene.add(9)
    out = scene.wscli.directory / "taken"
    script = scene.wscli.directory / "take"
    script.write_text(f"""#!/bin/sh
[ "$WSCLI_SEQ" = "$(cat {out}.poison 2>/dev/null)" ] && exit 7
printf '%s %s\\n' "$WSCLI_SEQ" "$(cat)" >> {out}
""")
    script.chmod(0o755)
    consume = ("tail", "feed", "--consumer", "a", "--exec", str(script))
    assert scene.wscli(*consume, "--count", "3").returncode == 0
    poison = scene.wscli.directory / "taken.poison"
    poison.write_text("6")
    failed = scene.wscli(*consume, "--no-follow")
    assert failed.returncode == 1
    assert f"{str(script)!r} exited with 7 on message 6 of feed" in failed.stderr
    assert "hint: " in failed.stderr
    assert scene.feed()["consumers"]["a"]["seq"] == 5
    poison.unlink()
    done = scene.wscli(*consume, "--no-follow", "--parallel", "3", "--key", ".kind")
    assert done.returncode == 0, done.stderr
    taken = [int(line.split()[0]) for line in out.read_text().splitlines()]
    assert taken[:5] == [1, 2, 3, 4, 5]
    assert sorted(taken[5:]) == [6, 7, 8, 9]
    assert json.loads(out.read_text().splitlines()[0].split(" ", 1)[1])["type"] == "notification"
    assert scene.feed()["consumers"]["a"]["seq"] == 9

    for args, words in (
        (("--exec", "no-such-program-here"), "program 'no-such-program-here' does not exist"),
        (("--exec", "'open"), "invalid --exec: "),
        (("--exec", ""), "it has no program"),
        (("--exec", "cat", "--key", ".["), "--key does not compile"),
        (("--exec", "cat", "--json"), "--exec prints nothing by itself"),
        (("--key", ".a"), "go with --exec"),
    ):
        wrong = scene.wscli("tail", "feed", "--consumer", "a", *args)
        assert (wrong.returncode, words in wrong.stderr) == (2, True), wrong.stderr
    assert scene.feed()["consumers"]["a"]["seq"] == 9
