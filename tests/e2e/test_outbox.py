"""The outbox with real processes: what is queued outlives the manager, and arrives once the channel is ready."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import random
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection

from tests.e2e.rawserver import Conn, RawServer
from tests.e2e.upstream import in_background
from tests.processes import Process, Wscli
from tests.waiting import until

KILLS = 3


class Recorder:
    """A server that records the messages it receives."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.port = 0

    def take(self, connection: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):  # the manager was killed
            for message in connection:
                self.received.append(str(message))

    def until(self, wanted: str) -> None:
        until(lambda: wanted in self.received)


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recording = Recorder()
    with in_background(recording.take) as recording.port:
        yield recording


def config(server: Recorder | RawServer, channels: str = "calls: {endpoint: api, path: /calls}") -> str:
    return (
        "version: 1\nname: app\n"
        f"endpoints: {{api: {{url: 'ws://127.0.0.1:{server.port}'}}}}\n"
        f"channels: {{{channels}}}\n"
    )


def test_queued_messages_expire_can_be_removed_and_outlive_the_manager(wscli: Wscli, recorder: Recorder) -> None:
    with wscli.up(config(recorder)):
        assert wscli("stop", "calls").returncode == 0
        assert wscli("send", "--queue", "calls", "secret-1", "--key", "k").returncode == 0
        assert wscli("send", "--queue", "calls", "again", "--key", "k").returncode == 0
        assert wscli("send", "--queue", "calls", input="a\nb\n").returncode == 0
        assert wscli("send", "--queue", "calls", "late", "--ttl", "0").returncode == 0
        rows = wscli("outbox", "ls", "calls")
        assert "secret-1" not in rows.stdout
        assert [line.split()[2] for line in rows.stdout.splitlines()[1:]] == ["queued"] * 3 + ["expired"]
        stopped = wscli("outbox", "flush")
        assert (stopped.returncode, "channel 'calls' has 3 queued" in stopped.stderr) == (8, True)
        assert "3 queued while it is stopped, 1 expired" in wscli("status").stdout
        assert wscli("outbox", "rm", "2").returncode == 0
        assert wscli("outbox", "rm", "99").returncode == 2
    assert recorder.received == []
    with wscli.up(config(recorder)) as manager:
        assert wscli("outbox", "flush", "--timeout", "30s").returncode == 0
        recorder.until("b")
        assert recorder.received == ["secret-1", "b"]
        assert wscli("send", "--queue", "calls", "again", "--key", "k").returncode == 0
        assert manager.stats()["channels"]["calls"]["outbox"] == {"queued": 0, "expired": 1, "rejected": 0}
        assert wscli("outbox", "rm", "--expired").returncode == 0
        assert wscli.json("status", "--json")["problems"] == []
    assert recorder.received == ["secret-1", "b"]


def test_a_damaged_file_is_shown_among_the_problems(wscli: Wscli, recorder: Recorder) -> None:
    path = Path(wscli.env["XDG_STATE_HOME"], "wscli", "app", "outbox.db")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database" * 1000)
    with wscli.up(config(recorder)):
        assert "damaged, or no database" in wscli("status").stdout
        refused = wscli("send", "--queue", "calls", "a")
        assert (refused.returncode, "damaged, or no database" in refused.stderr) == (7, True)
        assert "hint: move the file away" in refused.stderr
        assert wscli("send", "calls", "direct").returncode == 0


def told(done: subprocess.CompletedProcess[str]) -> list[tuple[int, str, int]]:
    """Return what ``send --queue --json`` printed: number, outcome and code."""
    return [(one["id"], one["outcome"], one["code"]) for one in map(json.loads, done.stdout.splitlines())]


WAIT = ("send", "--queue", "--wait", "calls")


def test_wait_prints_the_outcome_of_each_message(wscli: Wscli, recorder: Recorder) -> None:
    with wscli.up(config(recorder)):
        done = wscli(*WAIT, "--json", "--timeout", "60s", input="a\nb\nc\n")
        assert (done.returncode, told(done)) == (0, [(1, "sent", 0), (2, "sent", 0), (3, "sent", 0)])
        assert wscli(*WAIT, "d", "--key", "k", "--timeout", "60s").returncode == 0
        for options in (("send", "--queue", "calls"), WAIT):
            known = wscli(*options, "e", "--key", "k", "--json")
            assert (known.returncode, told(known)) == (0, [(4, "sent", 0)])
        assert wscli(*WAIT).returncode == 0, "there are no messages to wait for"
        assert wscli("send", "--wait", "calls", "e").returncode == 2

        assert wscli("stop", "calls").returncode == 0
        queued = wscli("send", "--queue", "calls", "f", "--json")
        assert (queued.returncode, told(queued)) == (0, [(5, "queued", 0)])
        late = wscli(*WAIT, "g", "--json", "--timeout", "1s")
        assert (late.returncode, told(late)) == (124, [(6, "queued", 124)])
        assert "error: message 6 is still queued after " in late.stderr
        assert "hint: " in late.stderr
        expired = wscli(*WAIT, "--json", "--ttl", "100ms", "--timeout", "60s", input="h\ni\n")
        assert (expired.returncode, told(expired)) == (7, [(7, "expired", 7), (8, "expired", 7)])
        assert "error: message 7 expired before it was sent" in expired.stderr
        assert "hint: " in expired.stderr
        assert wscli("start", "calls").returncode == 0
        assert wscli("outbox", "flush", "--timeout", "60s").returncode == 0
        recorder.until("g")
    assert recorder.received == ["a", "b", "c", "d", "f", "g"]


def test_a_client_that_stops_waiting_leaves_its_message_queued(wscli: Wscli, recorder: Recorder) -> None:
    def waits_for(first: int, text: str) -> Process:
        """Start a client that queues two messages, remove the first, and wait until the client has told so."""
        waiting = wscli.start(*WAIT, "--json", "--timeout", "60s", stdin=True)
        waiting.write(f"removed\n{text}\n")
        assert waiting.popen.stdin is not None
        waiting.popen.stdin.close()
        until(lambda: wscli("outbox", "rm", str(first)).returncode == 0)
        waiting.until_lines(1)
        return waiting

    def ended(waiting: Process) -> list[tuple[str, int]]:
        return [(one["outcome"], one["code"]) for one in waiting.records()]

    with wscli.up(config(recorder)) as manager:
        assert wscli("stop", "calls").returncode == 0
        removed = waits_for(1, "a")
        assert wscli("outbox", "rm", "2").returncode == 0
        assert (removed.wait(), ended(removed)) == (7, [("rejected", 7)] * 2)
        assert "message 1 was removed before it was sent" in removed.stderr
        interrupted = waits_for(3, "b")
        assert (interrupted.stop(signal.SIGINT), ended(interrupted)) == (130, [("rejected", 7), ("queued", 130)])
        left = waits_for(5, "c")
        assert manager.stats()["channels"]["calls"]["outbox"]["queued"] == 2
    assert (left.wait(), ended(left)) == (7, [("rejected", 7), ("queued", 5)])
    with wscli.up(config(recorder)):
        assert wscli("outbox", "flush", "--timeout", "60s").returncode == 0
        recorder.until("c")
    assert recorder.received == ["b", "c"]


def test_a_channel_that_is_declared_again_sends_its_messages(wscli: Wscli, recorder: Recorder) -> None:
    with wscli.up(config(recorder)) as manager:
        assert wscli("stop", "calls").returncode == 0
        assert wscli("send", "--queue", "calls", input="a\nb\n").returncode == 0
        wscli.file(config(recorder, "other: {endpoint: api, path: /calls}"))
        assert wscli("reload").returncode == 0
        listed = [line.split()[1:3] for line in wscli("outbox", "ls").stdout.splitlines()[1:]]
        assert listed == [["calls", "queued"]] * 2
        gone = wscli("outbox", "flush")
        assert (gone.returncode, "channel 'calls' has 2 queued" in gone.stderr) == (8, True)
        assert wscli("send", "--queue", "calls", "c").returncode == 6
        wscli.file(config(recorder))
        assert wscli("reload").returncode == 0
        assert wscli("outbox", "flush", "--timeout", "60s").returncode == 0
        recorder.until("b")
        assert manager.stats()["channels"]["calls"]["outbox"]["queued"] == 0
    assert recorder.received == ["a", "b"]


def test_an_instance_of_a_template_sends_its_messages_after_a_restart(wscli: Wscli, recorder: Recorder) -> None:
    text = config(recorder, "'rooms/{id}': {endpoint: api, path: '/{id}'}")
    with wscli.up(text):
        assert wscli("start", "rooms/42").returncode == 0
        assert wscli("stop", "rooms/42").returncode == 0
        assert wscli("send", "--queue", "rooms/42", input="a\nb\n").returncode == 0
    assert recorder.received == []
    with wscli.up(text):
        assert wscli("outbox", "flush", "--timeout", "60s").returncode == 0
        recorder.until("b")
    assert recorder.received == ["a", "b"]


def test_a_clean_end_in_the_middle_repeats_no_message(wscli: Wscli, recorder: Recorder) -> None:
    numbers = [str(number) for number in range(3000)]
    for life in range(3):
        with wscli.up(config(recorder)):
            if life == 0:
                assert wscli("send", "--queue", "calls", input="\n".join(numbers)).returncode == 0
            recorder.until(numbers[min(len(recorder.received) + 50, len(numbers) - 1)])
            assert wscli("down").returncode == 0
    with wscli.up(config(recorder)):
        assert wscli("outbox", "flush", "--timeout", "60s").returncode == 0
        recorder.until(numbers[-1])
    assert recorder.received == numbers


def test_a_message_that_the_server_does_not_read_has_an_unknown_outcome(wscli: Wscli) -> None:
    large = base64.b64encode(random.Random(1).randbytes(11_000_000))

    def reads_nothing(conn: Conn) -> None:
        conn.upgrade()
        server.stopping.wait(60)

    with RawServer(reads_nothing, receive_buffer=4096) as server:
        text = config(server).replace("'}}", "', compression: none}}")
        with wscli.up(text) as manager:
            manager.wait_for("calls")
            done = wscli(*WAIT, "--whole", "--ttl", "3s", "--timeout", "60s", "--json", input=large)
            assert (done.returncode, told(done)) == (9, [(1, "unknown", 9)])
            assert "it may have been sent: channel 'calls': the server did not read the message" in done.stderr
            assert wscli("restart", "calls").returncode == 0
            manager.wait_for("calls")
            assert wscli("send", "--queue", "calls", "--whole", input=large).returncode == 0
            assert wscli("send", "--queue", "calls", "small").returncode == 0
            refused = wscli("outbox", "rm", "3", "2")
            assert (refused.returncode, "message 2 is being sent at this moment" in refused.stderr) == (1, True)
            assert "hint: " in refused.stderr
        with wscli.up(text):
            rows = [json.loads(line) for line in wscli("outbox", "ls", "--json").stdout.splitlines()]
            assert [(one["id"], one["state"]) for one in rows] == [(1, "expired"), (2, "queued"), (3, "queued")]
            assert "the connection ended while the message was being sent" in rows[1]["reason"]


def test_accepted_messages_outlive_kills_of_the_manager(wscli: Wscli, recorder: Recorder) -> None:
    chance, accepted = random.Random(5), []
    for life in range(KILLS):
        manager = wscli.up(config(recorder))
        manager.__enter__()
        killer = threading.Timer(chance.uniform(0.1, 0.8), manager.kill)
        killer.start()
        for number in itertools.count():
            done = wscli("send", "--queue", "calls", f"{life}-{number:03}")
            if done.returncode != 0:
                break
            accepted.append(f"{life}-{number:03}")
        killer.join()
    with wscli.up(config(recorder)):
        assert wscli("outbox", "flush", "--timeout", "30s").returncode == 0
        assert wscli("send", "--queue", "calls", "end").returncode == 0
        recorder.until("end")
    once = [text for text, _ in itertools.groupby(recorder.received)]
    assert not set(accepted) - set(once)
    assert once == sorted(set(once))
    assert len(recorder.received) - len(once) <= KILLS
