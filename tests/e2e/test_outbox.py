"""The outbox with real processes: what is queued outlives the manager, and arrives once the channel is ready."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from tests.processes import Wscli, wscli

__all__ = ["wscli"]

KILLS = 5


class Recorder:
    """A server that keeps what arrives."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.server: Server = serve(self._take, "127.0.0.1", 0)
        self.port = self.server.socket.getsockname()[1]
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()

    def _take(self, connection: ServerConnection) -> None:
        try:
            for message in connection:
                self.received.append(str(message))
        except ConnectionClosed:
            pass  # the manager was killed

    def until(self, wanted: str) -> None:
        deadline = time.monotonic() + 30
        while wanted not in self.received:
            assert time.monotonic() < deadline, f"{wanted!r} did not arrive"
            time.sleep(0.02)

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recording = Recorder()
    yield recording
    recording.close()


def config(recorder: Recorder) -> str:
    return (
        "version: 1\nname: app\n"
        f"endpoints: {{api: {{url: 'ws://127.0.0.1:{recorder.port}'}}}}\n"
        "channels: {calls: {endpoint: api, path: /calls}}\n"
    )


def test_what_waits_is_listed_expires_is_removed_and_outlives_the_manager(wscli: Wscli, recorder: Recorder) -> None:
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
        assert (stopped.returncode, "3 of channel 'calls' wait" in stopped.stderr) == (8, True)
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


def test_a_file_that_is_no_database_is_a_stated_problem(wscli: Wscli, recorder: Recorder) -> None:
    path = Path(wscli.env["XDG_STATE_HOME"], "wscli", "app", "outbox.db")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database" * 1000)
    with wscli.up(config(recorder)):
        assert "damaged, or no database" in wscli("status").stdout
        refused = wscli("send", "--queue", "calls", "a")
        assert (refused.returncode, "damaged, or no database" in refused.stderr) == (7, True)
        assert "hint: move the file away" in refused.stderr
        assert wscli("send", "calls", "direct").returncode == 0


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
