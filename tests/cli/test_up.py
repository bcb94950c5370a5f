"""``wscli up`` as real processes: in the foreground, detached, and where the detached one does not come up."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from tests.processes import Wscli, wscli
from tests.waiting import until

__all__ = ["wscli"]

NOBODY = """
version: 1
endpoints: {e: {url: "ws://127.0.0.1:1"}}
channels: {c: {endpoint: e}}
"""


def detached_pid(wscli: Wscli) -> int:
    return int(wscli.json("ls", "--json")["pid"])


@contextmanager
def detached(wscli: Wscli) -> Iterator[subprocess.CompletedProcess[str]]:
    """Run ``up -d``, and take the manager down afterwards."""
    wscli.file(NOBODY)
    try:
        yield wscli("up", "-d", "-c", "app.yaml")
    finally:
        assert wscli("down").returncode == 0


def test_a_foreground_manager_runs_until_it_is_stopped_and_leaves_nothing(wscli: Wscli) -> None:
    with wscli.up(NOBODY) as manager:
        assert wscli("ls").stdout.split()[5:7] == ["app", str(manager.pid)]
        assert manager.stop(signal.SIGINT) == 130
    assert list(wscli.runtime.iterdir()) == []


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
    until(lambda: not psutil.pid_exists(pid) or process.status() == psutil.STATUS_ZOMBIE)
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
