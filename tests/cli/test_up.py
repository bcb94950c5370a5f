"""``wscli up`` as real processes: in the foreground, detached, twice at once, and on what cannot run."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.backend.process import BackendProcess, backend
from tests.processes import Wscli, wscli

__all__ = ["backend", "wscli"]

NOBODY = """
version: 1
endpoints: {e: {url: "ws://127.0.0.1:1"}}
channels: {c: {endpoint: e}}
"""
REFUSED = """
version: 1
endpoints: {e: {url: "ws://127.0.0.1:PORT/ws", query: {token: wrong}}}
channels: {notifications: {endpoint: e, path: /notifications}}
"""
DEMO = """
version: 1
endpoints:
  e: {url: "ws://127.0.0.1:PORT/ws", query: {token: "{token.session}"}}
tokens:
  session: {http: {post: "http://127.0.0.1:PORT/ws-token"}, read: {token: .token}}
channels:
  notifications: {endpoint: e, path: /notifications}
  calls: {endpoint: e, path: /calls, critical: false}
"""


def on(demo: BackendProcess, text: str) -> str:
    return text.replace("PORT", str(demo.port))


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def detached_pid(wscli: Wscli) -> int:
    return int(wscli.json("ls", "--json")["pid"])


@contextmanager
def detached(wscli: Wscli, text: str = NOBODY, *options: str) -> Iterator[subprocess.CompletedProcess[str]]:
    """Run ``up -d`` on a file, and take the manager down afterwards."""
    wscli.file(text)
    try:
        yield wscli("up", "-d", "-c", "app.yaml", *options)
    finally:
        assert wscli("down").returncode == 0


def test_a_foreground_manager_runs_until_it_is_stopped_and_leaves_nothing(wscli: Wscli) -> None:
    with wscli.up(NOBODY) as manager:
        assert wscli("ls").stdout.split()[5:7] == ["app", str(manager.pid)]
        assert manager.stop(signal.SIGINT) == 130
    assert list(wscli.runtime.iterdir()) == []


def test_a_second_foreground_manager_refuses_and_says_who_runs(wscli: Wscli) -> None:
    with wscli.up(NOBODY) as manager:
        second = wscli("up", "-c", "app.yaml")
        assert second.returncode == 1
        assert f"'app' is already running as pid {manager.pid}" in second.stderr
        other = wscli.file(NOBODY.replace("version: 1", "version: 1\nname: app"), "other.yaml")
        third = wscli("up", "-d", "-c", str(other))
        assert third.returncode == 1
        assert f"held by pid {manager.pid}, which runs '{manager.file}'" in third.stderr


def test_a_detached_manager_has_a_session_a_private_log_and_no_tie_to_its_starter(wscli: Wscli) -> None:
    log = wscli.directory / "state" / "wscli" / "app.log"
    with detached(wscli) as done:
        pid = detached_pid(wscli)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == f"app is up as pid {pid}; it logs to {log}\n"
        process = psutil.Process(pid)
        assert os.getsid(pid) == pid
        assert process.cwd() == "/"
        assert stat.S_IMODE(log.stat().st_mode) == 0o600
        held = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
        assert not [one for one in held if one.startswith("pipe:")], "it holds a pipe of its starter's"
        assert f"runs app as pid {pid}" in log.read_text()
    assert gone(pid)
    assert list(wscli.runtime.iterdir()) == []


def test_without_c_the_nearest_file_above_is_run_and_found(wscli: Wscli) -> None:
    wscli.file(NOBODY.replace("version: 1", "version: 1\nname: nearest"), "wscli.yaml")
    below = wscli.directory / "a" / "b"
    below.mkdir(parents=True)

    def there(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "wscli", *args]
        return subprocess.run(command, cwd=below, env=wscli.env, capture_output=True, text=True, check=False)

    assert there("up", "-d").returncode == 0
    try:
        assert there("status", "--line").stdout.startswith("nearest: ")
    finally:
        assert there("down").returncode == 0


def test_up_d_on_a_running_instance_applies_its_file(wscli: Wscli) -> None:
    with detached(wscli):
        pid = detached_pid(wscli)
        wscli.file(NOBODY.replace("{c: {endpoint: e}}", "{c: {endpoint: e}, d: {endpoint: e}}"))
        again = wscli("up", "-d", "-c", "app.yaml")
        assert (again.returncode, again.stdout.split()) == (0, ["kept", "c", "added", "d"])
        assert f"running already as pid {pid}" in again.stderr
        assert "warning: app.yaml:4:30: channels.d: the channels 'd' and 'c' dial the same URL" in again.stderr
        wscli.file("version: 2")
        assert wscli("up", "-d", "-c", "app.yaml").returncode == 3
        assert wscli("reload").returncode == 3
        assert detached_pid(wscli) == pid
        assert len(wscli("status", "--json").stdout.splitlines()) == 2


@pytest.mark.parametrize("options", [(), ("-d",), ("-d", "--wait")])
def test_what_cannot_run_is_told_by_the_command_that_was_typed(wscli: Wscli, options: tuple[str, ...]) -> None:
    wscli.file("version: 1\nchannels: {c: {endpoint: nowhere}}\n")
    done = wscli("up", "-c", "app.yaml", *options)
    assert done.returncode == 3
    assert done.stderr.startswith("app.yaml:2:")
    assert wscli("up", "-c", "missing.yaml", *options).returncode == 3
    assert wscli("up", *options).returncode == 2


def test_an_error_of_the_detached_process_alone_is_told_as_well(wscli: Wscli) -> None:
    wscli.runtime.chmod(0o755)
    wscli.file(NOBODY)
    done = wscli("up", "-d", "-c", "app.yaml")
    wscli.runtime.chmod(0o700)
    assert done.returncode == 1
    assert "open to other users" in done.stderr
    assert "hint: chmod 700" in done.stderr


def test_a_detached_process_that_dies_at_once_points_to_its_log(wscli: Wscli) -> None:
    wscli.file(NOBODY)
    trap = wscli.directory / "trap"
    trap.mkdir()
    (trap / "sitecustomize.py").write_text("import os, sys\nif '--status-fd' in sys.orig_argv: os._exit(1)\n")
    done = wscli("up", "-d", "-c", "app.yaml", PYTHONPATH=str(trap))
    assert done.returncode == 1
    assert "'app' died before it was up" in done.stderr
    assert "state/wscli/app.log" in done.stderr


def test_a_log_that_grew_is_put_aside(wscli: Wscli) -> None:
    log = wscli.directory / "state" / "wscli" / "app.log"
    log.parent.mkdir(parents=True)
    with log.open("wb") as file:
        file.truncate((8 << 20) + 1)
    with detached(wscli) as done:
        assert done.returncode == 0
    assert log.with_suffix(".log.1").stat().st_size == (8 << 20) + 1
    assert log.stat().st_size < 10_000


def test_of_two_at_once_one_wins_and_the_other_says_who(wscli: Wscli) -> None:
    wscli.file(NOBODY)
    both = [wscli.start("up", "-c", "app.yaml") for _ in range(2)]
    deadline = time.monotonic() + 30
    while all(one.popen.poll() is None for one in both) and time.monotonic() < deadline:
        time.sleep(0.01)
    [loser] = [one for one in both if one.popen.poll() is not None]
    [winner] = [one for one in both if one is not loser]
    assert loser.wait() == 1
    assert f"'app' is already running as pid {winner.pid}" in loser.stderr
    assert wscli("down").returncode == 0
    assert winner.wait() == 0


def test_wait_returns_once_what_is_critical_is_ready(wscli: Wscli, backend: BackendProcess) -> None:
    with detached(wscli, on(backend, DEMO), "--wait", "--timeout", "20s") as done:
        assert done.returncode == 0
        assert wscli("status", "--check").returncode == 0
        assert wscli.json("status", "--json", "notifications")["state"] == "ready"


def test_wait_is_4_when_credentials_are_refused_and_the_manager_stays_up(wscli: Wscli, backend: BackendProcess) -> None:
    with detached(wscli, on(backend, REFUSED), "--wait", "--timeout", "20s") as done:
        assert done.returncode == 4, done.stderr
        assert "'notifications' is failed" in done.stderr


def test_wait_is_124_when_nothing_comes_of_it(wscli: Wscli) -> None:
    with detached(wscli, NOBODY, "--wait", "--timeout", "200ms") as done:
        assert done.returncode == 124
        assert "not ready within 200ms: c is " in done.stderr


def test_a_crashed_manager_is_followed_by_the_next(wscli: Wscli) -> None:
    wscli.file(NOBODY)
    assert wscli("up", "-d", "-c", "app.yaml").returncode == 0
    pid = detached_pid(wscli)
    os.kill(pid, signal.SIGKILL)
    while not gone(pid):
        time.sleep(0.01)
    assert wscli("stats").returncode == 5
    assert wscli("ls", "--json").stdout == ""
    assert wscli("up", "-d", "-c", "app.yaml").returncode == 0
    assert detached_pid(wscli) != pid
    assert wscli("down").returncode == 0
    assert sorted(path.name for path in Path(wscli.runtime).iterdir()) == []
