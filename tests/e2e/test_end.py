"""How a manager ends: by ``down`` or a signal, once, promptly, leaving nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.rawserver import RawServer, welcomes
from tests.processes import COMMAND, Process, Wscli

CONFIG = """
version: 1
name: raw
endpoints:
  api: {{url: "{url}"}}
channels:
  feed: {{endpoint: api}}
"""

SLOW_LOOKUP = """
import socket, sys, time
lookup = socket.getaddrinfo
def slow(host, port, family=0, type=0, proto=0, flags=0):
    if host == "slow.test" and not flags & socket.AI_NUMERICHOST:
        time.sleep(300)
    return lookup(host, port, family, type, proto, flags)
socket.getaddrinfo = slow
from wscli.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""A resolver that does not answer, which a test can have no other way."""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_second_signal_does_not_tear_the_end(wscli: Wscli, number: signal.Signals, code: int) -> None:
    with RawServer(welcomes) as server, wscli.up(CONFIG.format(url=server.url)) as manager:
        manager.wait_for("feed")
        manager.popen.send_signal(number)
        manager.until(lambda: any("stopping" in line for line in manager.err))
        for again in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, number):
            manager.popen.send_signal(again)
        assert manager.wait() == code, manager.shown()
        assert list(wscli.runtime.iterdir()) == []
        server.until(lambda: server.open == 0)


def test_a_lookup_that_hangs_does_not_hold_up_the_end(wscli: Wscli) -> None:
    file = wscli.file(CONFIG.format(url="ws://slow.test/"))
    command = [sys.executable, "-c", SLOW_LOOKUP, "up", "-c", str(file)]
    with Process(command, env=wscli.env, cwd=wscli.directory) as manager:
        manager.until(lambda: any(" is up;" in line for line in manager.err))
        wscli("wait", "feed", "--for", "connecting", "--timeout", "30s")
        assert wscli("down", "--timeout", "30s").returncode == 0
        assert manager.wait(60) == 0
    assert list(Path(wscli.runtime).iterdir()) == []


def test_a_detached_manager_comes_up_from_a_process_without_stdin_stdout_and_stderr(wscli: Wscli) -> None:
    wscli.file(CONFIG.format(url="ws://127.0.0.1:9/"))
    script = 'exec "$@" <&- >&- 2>&-'
    command = ["sh", "-c", script, "sh", *COMMAND, "up", "-d", "-c", "app.yaml"]
    assert subprocess.run(command, env=wscli.env, cwd=wscli.directory, timeout=60, check=False).returncode == 0
    try:
        pid = wscli.json("ls", "--json")["pid"]
        standard = [Path(f"/proc/{pid}/fd/{number}").readlink() for number in range(3)]
        log = wscli.directory / "state" / "wscli" / "raw.log"
        assert standard == [Path("/dev/null"), log, log]
    finally:
        assert wscli("down").returncode == 0


def test_a_directory_that_is_gone_does_not_hide_the_only_instance(wscli: Wscli) -> None:
    with wscli.up(CONFIG.format(url="ws://127.0.0.1:9/")):
        gone = wscli.directory / "gone"
        gone.mkdir()
        script = 'rmdir "$PWD" && exec "$@"'
        command = ["sh", "-c", script, "sh", *COMMAND, "stats"]
        done = subprocess.run(command, env=wscli.env, cwd=gone, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
