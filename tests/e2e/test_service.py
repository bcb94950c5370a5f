"""A manager as a service: what a real process tells its service manager, its journal and its log file."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes import COMMAND, Wscli

CONFIG = """
version: 1
name: app
endpoints: {e: {url: "ws://127.0.0.1:1"}}
tokens:
  mine: {command: [sh, -c, "env | grep -c -e NOTIFY_SOCKET -e WATCHDOG_ || true"]}
channels:
  c: {endpoint: e}
"""
MORE = CONFIG + "  d: {endpoint: e, open: lazy}\n"


class ServiceManager:
    """The socket that NOTIFY_SOCKET names, and all that came."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.path = path
        self.told: list[dict[str, str]] = []
        self._came: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._take)

    def _take(self) -> None:
        while data := self.socket.recv(4096):
            self._came.put(data)

    @contextlib.contextmanager
    def taking(self) -> Iterator[None]:
        """Take messages as they come: few fit into the socket."""
        self._thread.start()
        try:
            yield
        finally:
            self.socket.shutdown(socket.SHUT_RDWR)
            self._thread.join()

    def until(self, name: str) -> dict[str, str]:
        """Take messages until one has this variable, and give it."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            message = dict(line.split("=", 1) for line in self._came.get(timeout=60).decode().splitlines())
            self.told.append(message)
            if name in message:
                return message
        raise AssertionError(self.told)

    def until_silent(self) -> int:
        """Drop messages until none comes for a while, and count them."""
        for count in itertools.count():
            try:
                self._came.get(timeout=0.2)
            except queue.Empty:
                return count
        raise AssertionError


@pytest.fixture
def systemd(wscli: Wscli) -> Iterator[ServiceManager]:
    manager = ServiceManager(wscli.directory / "notify")
    with manager.socket, manager.taking():
        yield manager


def test_a_manager_reports_each_stage_of_its_life_to_systemd(wscli: Wscli, systemd: ServiceManager) -> None:
    wscli.file(CONFIG)
    manager = wscli.start("up", "-c", "app.yaml", NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="400000")
    assert systemd.until("READY")["STATUS"] == "0 of 1 channel ready"
    assert wscli("ls").returncode == 0, "the socket answers once it is ready"
    assert wscli("token", "get", "mine").stdout == "0\n", "a child is not told"
    for _ in range(3):
        assert systemd.until("WATCHDOG") == {"WATCHDOG": "1"}

    wscli.file(MORE)
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.popen.send_signal(signal.SIGHUP)
    reloading = systemd.until("RELOADING")
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert systemd.until("READY")["STATUS"] == "0 of 1 channel ready, 1 idle"
    wscli.file("version: 2")
    assert wscli("reload").returncode == 3
    assert int(systemd.until("RELOADING")["MONOTONIC_USEC"]) > int(reloading["MONOTONIC_USEC"])
    assert "; not reloaded: app.yaml:1:" in systemd.until("READY")["STATUS"].replace(f"{wscli.directory}/", "")

    wscli("stop", "c")
    manager.popen.send_signal(signal.SIGTERM)
    assert "STATUS" in systemd.until("STOPPING")
    assert manager.wait() == 0
    assert [sorted(message) for message in systemd.told].count(["WATCHDOG"]) >= 3


def test_a_manager_that_hangs_is_noticed(wscli: Wscli, systemd: ServiceManager) -> None:
    wscli.file(CONFIG)
    manager = wscli.start("up", "-c", "app.yaml", NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="200000")
    systemd.until("WATCHDOG")
    manager.popen.send_signal(signal.SIGSTOP)
    systemd.until_silent()
    manager.popen.send_signal(signal.SIGCONT)
    systemd.until("WATCHDOG")
    assert manager.stop() == 0


def test_a_manager_in_the_background_does_not_speak_for_the_service_that_it_is_started_in(
    wscli: Wscli, systemd: ServiceManager
) -> None:
    wscli.file(CONFIG)
    assert wscli("up", "-d", "-c", "app.yaml", NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="1000").returncode == 0
    assert wscli("down").returncode == 0
    assert systemd.until_silent() == 0


def test_in_the_journal_each_line_has_its_level(wscli: Wscli) -> None:
    wscli.file(CONFIG)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        facts = os.fstat(theirs.fileno())
        env = {**wscli.env, "JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"}
        command = [*COMMAND, "up", "-c", "app.yaml"]
        with subprocess.Popen(command, cwd=wscli.directory, env=env, stderr=theirs) as manager:
            theirs.close()
            with ours.makefile() as journal:
                assert next(journal).startswith("<6>info wscli ")
                assert any(line == "app is up; Ctrl-C stops it\n" for line in journal)
                wscli.file("version: 2")
                manager.send_signal(signal.SIGHUP)
                assert any(line.startswith("<4>warning not reloaded: ") for line in journal)
                manager.terminate()
                rest = list(journal)
                assert "<6>info stopping\n" in rest
                assert all(re.match("<[46]>(info|warning) ", line) for line in rest)


def test_as_json_stderr_holds_nothing_else_and_what_wscli_logs_prints(wscli: Wscli) -> None:
    with wscli.up(CONFIG, "--log-format", "json") as manager:
        logged = wscli("logs", "--json").stdout.splitlines()
        assert logged
        manager.until(lambda: len(manager.err) >= len(logged))
        assert manager.err[: len(logged)] == logged
    assert [json.loads(line)["event"] for line in manager.err[:1] + manager.err[-1:]] == ["started", "stopping"]
    assert wscli("up", "-c", "app.yaml", "--log-format", "xml").returncode == 2


def test_the_log_of_a_manager_in_the_background_is_rotated_while_it_runs(wscli: Wscli) -> None:
    log = wscli.directory / "state" / "wscli" / "app.log"
    with wscli.detached(CONFIG, "--log-format", "json") as up:
        assert up.returncode == 0
        pid = wscli.json("ls", "--json")["pid"]
        for round_ in range(1, 5):
            os.truncate(log, 8 << 20)
            assert wscli("reload").returncode == 0
            events = [json.loads(line)["event"] for line in log.read_text().splitlines()]
            if "lost" in events:  # said once, five seconds after the start
                events.remove("lost")
            assert events == ["config-warning", None], round_
            for number in (1, 2):
                assert Path(f"/proc/{pid}/fd/{number}").samefile(log)
        assert sorted(path.name for path in log.parent.glob("app.log*")) == [
            "app.log",
            "app.log.1",
            "app.log.2",
            "app.log.3",
        ]
        assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_the_log_has_the_level_that_is_asked_for(wscli: Wscli) -> None:
    with wscli.up(CONFIG) as manager:
        manager.wait_for("c", state="waiting")
        assert " debug " not in wscli("logs").stdout
        assert "c: dialling ws://127.0.0.1:1" in wscli("logs", "--level", "debug").stdout
        assert wscli("logs", "--level", "error").stdout == ""
        assert " debug " not in manager.stderr
    assert wscli("up", "-c", "app.yaml", "--log-level", "loud").returncode == 2


def test_a_manager_in_the_background_writes_the_level_that_was_chosen(wscli: Wscli) -> None:
    log = wscli.directory / "state" / "wscli" / "app.log"
    with wscli.detached(CONFIG, "--log-level", "debug"):
        assert wscli("wait", "c", "--for", "waiting", "--timeout", "60s").returncode == 0
        assert " debug c: dialling " in log.read_text()
        assert " debug " in wscli("logs").stdout, "without --level it is the one that is written"
