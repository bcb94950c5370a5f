"""What ends a command that waits, and with which exit code: the manager, the channel, a signal, a closed pipe."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.backend.process import BackendProcess
from tests.processes import COMMAND, Manager, Process, Wscli
from tests.waiting import until

CONFIG = """
version: 1
name: ends
endpoints:
  api: {{url: "{url}", query: {{token: "{{token.session}}"}}, verdicts: {{4000: done, 4001: stop}}}}
  dead: {{url: "ws://127.0.0.1:9/"}}
tokens:
  session: {{http: {{post: {http}/ws-token}}, read: {{token: .token}}}}
backoff:
  default: {{initial: 100ms}}
channels:
  feed: {{endpoint: api, path: /notifications}}
  dead: {{endpoint: dead, open: lazy, critical: false}}
"""
WAITING = {
    "tail": ["tail", "feed"],
    "tail of two": ["tail", "feed", "dead"],
    "wait": ["wait", "feed", "--for", "failed"],
    "wait for what is dead": ["wait", "dead"],
    "watch": ["status", "--watch"],
    "logs": ["logs", "-f"],
    "connect": ["connect", "feed"],
    "send from a pipe": ["send", "feed"],
    "send to what is dead": ["send", "dead", "x", "--timeout", "30s"],
}
"""Commands that wait, whatever for."""


@pytest.fixture
def config(backend: BackendProcess) -> str:
    return CONFIG.format(url=backend.ws_url, http=backend.url)


@pytest.fixture
def manager(wscli: Wscli, config: str) -> Iterator[Manager]:
    with wscli.up(config) as manager:
        manager.wait_for("feed")
        until(lambda: connected(wscli) == 0)  # whoever waited is gone
        yield manager


def connected(wscli: Wscli) -> int:
    """How many clients the manager has (proc(5): in state 03 a socket is connected)."""
    socket = str(wscli.runtime / "ends.sock")
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    return sum(row[5] == "03" and row[-1] == socket for row in rows)


def errors(process: Process) -> list[str]:
    """What a command said, but for what it told of a channel that is down."""
    return [line for line in process.err if not line.startswith("dead: ")]


def all_started(wscli: Wscli) -> dict[str, Process]:
    """Start every command that waits, and return once the manager has them all."""
    started = {name: wscli.start(*args, stdin=True) for name, args in WAITING.items()}
    until_asked(wscli, *started.values(), connections=len(WAITING) + 1)  # ``connect`` makes two
    return started


def until_asked(wscli: Wscli, *processes: Process, connections: int) -> None:
    """Return once the manager has had the requests of commands that are to wait for its answers."""
    until(lambda: connected(wscli) == connections)
    asked = [psutil.Process(process.pid) for process in processes]
    until(lambda: {one.status() for one in asked} == {psutil.STATUS_SLEEPING})  # once connected, at nothing else
    wscli("stats")  # answered after them


def ends(started: dict[str, Process]) -> dict[str, int]:
    """Wait for their ends; none but a killed one ends without saying why."""
    codes = {name: process.wait() for name, process in started.items()}
    for name, process in started.items():
        assert "Traceback" not in process.stderr
        assert codes[name] in (0, 130, 143, -signal.SIGHUP) or "error: " in process.stderr, (name, process.shown())
    return codes


def test_the_managers_end_ends_every_client_with_5(wscli: Wscli, manager: Manager) -> None:
    started = all_started(wscli)
    assert wscli("down").returncode == 0
    assert ends(started) == dict.fromkeys(WAITING, 5)
    for process in started.values():
        hint = f"hint: `wscli up -d -c {manager.file}` starts it again"
        assert process.err[-2:] == ["error: the manager was stopped", hint]
    assert manager.wait() == 0


def test_a_manager_that_is_killed_ends_every_client_and_blocks_nobody(
    wscli: Wscli, manager: Manager, config: str
) -> None:
    started = all_started(wscli)
    manager.kill()
    codes = ends(started)
    unknown = codes.pop("send to what is dead")
    assert unknown == 9, "the manager had the message, and nobody knows what it did with it"
    assert set(codes.values()) == {5}, codes
    assert sorted(path.name for path in wscli.runtime.iterdir()) == ["ends.json", "ends.lock", "ends.sock"]
    assert wscli("stats").returncode == 5
    assert wscli("ls", "--json").stdout == ""
    with wscli.up(config) as successor:
        successor.wait_for("feed")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, -1)])
def test_a_signal_ends_every_client_at_once(wscli: Wscli, manager: Manager, number: int, code: int) -> None:
    started = all_started(wscli)
    for process in started.values():
        process.popen.send_signal(number)
    assert ends(started) == dict.fromkeys(WAITING, code)
    assert [line for process in started.values() for line in errors(process)] == []
    until(lambda: connected(wscli) == 0)
    assert manager.stats()["channels"]["feed"]["readers"] == 0


@pytest.mark.parametrize(("verb", "state"), [("stop feed", "stopped"), ("pause feed", "paused"), ("pause", "paused")])
def test_a_channel_that_is_held_ends_its_readers(wscli: Wscli, manager: Manager, verb: str, state: str) -> None:
    started = [wscli.start("tail", "feed"), wscli.start("connect", "feed", stdin=True)]
    until_asked(wscli, *started, connections=3)
    assert wscli(*verb.split()).returncode == 0
    for process in started:
        assert process.wait() == 8
        assert process.err[0] == f"error: channel 'feed' is {state}: {state} by hand"
        assert process.err[1].startswith("hint: ")
    for late in (["tail", "feed"], ["wait", "feed"], ["send", "feed", "x"]):
        assert wscli(*late).returncode == 8
    assert wscli("status", "--check").returncode == 8


@pytest.mark.parametrize(("close", "code"), [(4000, 0), (4001, 8), (4401, 0)])
def test_a_verdict_ends_its_readers(
    wscli: Wscli, backend: BackendProcess, manager: Manager, close: int, code: int
) -> None:
    tail = wscli.start("tail", "feed", "--json", "--count", "2")
    manager.until_stats(lambda stats: stats["channels"]["feed"]["readers"] == 1)
    backend.order("make_notifications")
    tail.until_lines(1)
    backend.order("kick", code=close)
    if close == 4401:  # another token, another connection: the reader stays
        backend.until(lambda seen: seen["connections"]["total"] == 2)
        manager.wait_for("feed")
        backend.order("make_notifications")
    assert tail.wait() == code


def test_refused_credentials_end_readers_with_4(wscli: Wscli, backend: BackendProcess, config: str) -> None:
    refused = config.replace('query: {token: "{token.session}"}, ', "")
    with wscli.up(refused) as manager:
        manager.wait_for("feed", state="failed")
        for verb in (["tail", "feed"], ["wait", "feed"], ["send", "feed", "x"]):
            done = wscli(*verb)
            assert (done.returncode, "HTTP 401" in done.stderr) == (4, True), done.stderr
            assert "hint: " in done.stderr
        assert backend.stats()["dials"] == 3, "refused once is not final"


@pytest.mark.parametrize("verb", ["tail", "wait", "send", "connect"])
def test_a_channel_that_a_reload_removes_ends_its_users_with_6(
    wscli: Wscli, manager: Manager, config: str, verb: str
) -> None:
    args = {"wait": ["wait", "dead"], "send": ["send", "dead", "x", "--timeout", "30s"]}.get(verb, [verb, "dead"])
    process = wscli.start(*args, stdin=True)
    until_asked(wscli, process, connections=2 if verb == "connect" else 1)
    wscli.file("\n".join(line for line in config.splitlines() if not line.startswith("  dead: {endpoint")))
    assert wscli.json("reload", "--json")["removed"] == ["dead"]
    assert process.wait() == 6
    error, hint = errors(process)
    assert error == "error: channel 'dead' was removed from the configuration"
    assert hint.startswith("hint: ")


def test_a_closed_stdout_ends_a_reader_well(wscli: Wscli, backend: BackendProcess, manager: Manager) -> None:
    for verb in (["tail", "feed", "--last", "1"], ["tail", "feed"], ["logs", "-f"], ["status", "--watch", "--json"]):
        process = subprocess.Popen(
            [*COMMAND, *verb], env=wscli.env, cwd=wscli.directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        until(lambda: connected(wscli) == 1)
        assert process.stdout is not None
        process.stdout.close()
        _, words = process.communicate(timeout=60)
        assert (process.returncode, words) == (0, b""), verb
        until(lambda: connected(wscli) == 0)


def test_the_end_of_stdin_ends_a_sender_well(wscli: Wscli, backend: BackendProcess, manager: Manager) -> None:
    assert wscli.start("send", "feed").wait() == 0, "of /dev/null there is nothing to send"
    assert wscli("send", "feed", input="one\ntwo\nthree, without its newline").returncode == 0
    assert manager.stats()["channels"]["feed"]["sent"] == 3
