"""``up -d`` where a manager of the file runs already, starts at this moment, or has another environment."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import Wscli, wscli

__all__ = ["wscli"]

LAZY = """
version: 1
endpoints: {e: {url: "ws://127.0.0.1:1"}}
channels: {c: {endpoint: e, open: lazy}}
"""
PATIENT = """
import sys
from wscli.cli import detach, main
detach._PATIENCE = 3600.0
sys.exit(main(sys.argv[1:]))
"""
"""The command, which waits for an hour where it does not refuse at once."""
WITH_VARIABLES = """
version: 1
endpoints: {e: {url: "ws://127.0.0.1:1", headers: {X-Key: "${KEY}", X-Mode: "${MODE:-plain}", X-T: "{token.t}"}}}
tokens: {t: {env: TOKEN}}
channels: {c: {endpoint: e, open: lazy}}
"""


def pids(wscli: Wscli) -> set[int]:
    return {json.loads(line)["pid"] for line in wscli("ls", "--json").stdout.splitlines()}


def test_of_many_at_once_one_starts_the_manager_and_the_others_apply_the_file(wscli: Wscli) -> None:
    file = wscli.file(LAZY)
    racers = [wscli.start("up", "-d", "--wait", "-c", str(file)) for _ in range(6)]
    try:
        assert [racer.wait() for racer in racers] == [0] * 6
        said = [racer.err[0] for racer in racers]
        [pid] = pids(wscli)
        assert sum(line.startswith(f"app is up as pid {pid};") for line in said) == 1
        assert sum(line == f"app is running already as pid {pid}; its file was applied" for line in said) == 5
        log = (wscli.directory / "state" / "wscli" / "app.log").read_text()
        assert "error" not in log
    finally:
        assert wscli("down").returncode == 0


def test_a_manager_whose_runtime_directory_was_cleared_a_moment_ago_applies_the_file(wscli: Wscli) -> None:
    with wscli.detached(LAZY):
        [pid] = pids(wscli)
        for path in wscli.runtime.iterdir():
            path.unlink()
        again = wscli("up", "-d", "-c", "app.yaml")
        assert (again.returncode, again.stdout.split()) == (0, ["kept", "c"])
        assert pids(wscli) == {pid}


def test_a_manager_that_ends_at_this_moment_is_followed_by_another(wscli: Wscli) -> None:
    with wscli.detached(LAZY):
        before = pids(wscli)
        ending = wscli.start("down")
        again = wscli("up", "-d", "-c", "app.yaml")
        assert ending.wait() == 0
        assert again.returncode == 0, again.stderr
        if not pids(wscli):  # it applied the file first, and was taken down then
            assert "running already" in again.stderr
            assert wscli("up", "-d", "-c", "app.yaml").returncode == 0
        assert pids(wscli).isdisjoint(before)


def test_a_manager_of_the_file_in_a_directory_that_is_not_searched_is_refused_at_once(wscli: Wscli) -> None:
    with wscli.detached(LAZY):
        command = [sys.executable, "-c", PATIENT, "up", "-d", "-c", "app.yaml"]
        env = {**wscli.env, "WSCLI_RUNTIME_DIR": f"{wscli.directory}/elsewhere"}
        done = subprocess.run(command, env=env, cwd=wscli.directory, capture_output=True, text=True, timeout=60)
        assert done.returncode == 1
        error, hint = done.stderr.splitlines()
        assert error == f"error: instance 'app' is already running as pid {pids(wscli).pop()}"
        assert f"`WSCLI_RUNTIME_DIR={wscli.runtime} wscli down -i app` stops it" in hint


def test_variables_that_differ_from_the_managers_are_named_and_never_their_values(wscli: Wscli) -> None:
    first = {"KEY": "s3cret-one", "MODE": "loud", "TOKEN": "s3cret-token"}
    wscli.file(WITH_VARIABLES)
    assert wscli("up", "-d", "-c", "app.yaml", **first).returncode == 0
    try:
        for verb in (("up", "-d", "-c", "app.yaml"), ("reload",)):
            assert "environment" not in wscli(*verb, **first).stderr
            done = wscli(*verb, **{**first, "KEY": "s3cret-two", "TOKEN": "s3cret-other"})
            assert done.returncode == 0
            note, hint, *_ = done.stderr.splitlines()
            assert note == "this environment differs from the manager's, which keeps its own values of: KEY, TOKEN"
            assert hint.startswith(
                f"hint: `wscli down -i app`, then `wscli up -d -c {wscli.directory}/app.yaml` applies"
            )
            assert "s3cret" not in done.stderr + done.stdout
        fewer = wscli("up", "-d", "-c", "app.yaml", KEY="s3cret-one", TOKEN="s3cret-token")
        assert fewer.stderr.splitlines()[0].endswith("its own values of: MODE")
        cron = wscli("reload", "--json")
        assert cron.stderr == ""
        assert json.loads(cron.stdout)["differing_variables"] == []
        assert json.loads(wscli("reload", "--json", MODE="x").stdout)["differing_variables"] == ["MODE"]
    finally:
        assert wscli("down").returncode == 0


def test_a_variable_that_the_manager_lacks_is_told_apart_from_one_that_this_command_lacks(wscli: Wscli) -> None:
    with wscli.detached(LAZY):
        wscli.file(LAZY.replace("{url:", "{headers: {X: '${NEW}'}, url:"))
        for verb in (("up", "-d", "-c", "app.yaml"), ("reload",)):
            done = wscli(*verb, NEW="s3cret")
            assert (done.returncode, "${NEW} is not set" in done.stderr) == (3, True)
            assert "hint: the manager has the environment that it was started with; `wscli down -i app`" in done.stderr
        mine = wscli("up", "-d", "-c", "app.yaml")
        assert (mine.returncode, "the manager has" in mine.stderr) == (3, False)


def test_a_relative_runtime_directory_is_that_of_the_command(wscli: Wscli) -> None:
    wscli.env["WSCLI_RUNTIME_DIR"] = "run"
    with wscli.detached(LAZY):
        assert [path.name for path in wscli.runtime.glob("*.sock")] == ["app.sock"]


def test_a_foreground_manager_runs_without_a_home(wscli: Wscli) -> None:
    for name in ("HOME", "XDG_STATE_HOME"):
        del wscli.env[name]
    with wscli.up(LAZY) as manager:
        queued = wscli("send", "c", "m", "--queue")
        assert (queued.returncode, "HOME is not set" in queued.stderr) == (7, True)
        assert wscli("status", "--check", "-i", "app").returncode == 0
        assert manager.stop() == 0
    detached = wscli("up", "-d", "-c", "app.yaml")
    assert (detached.returncode, "HOME is not set" in detached.stderr) == (1, True)
    disk = wscli("up", "-c", str(wscli.file(LAZY.replace("lazy", "lazy, history: {store: disk}"))))
    assert (disk.returncode, "HOME is not set" in disk.stderr) == (1, True)


@pytest.mark.parametrize("name", ["own", "link"])
def test_a_service_keeps_its_files_where_its_unit_says(wscli: Wscli, name: str) -> None:
    for variable in ("HOME", "XDG_STATE_HOME", "WSCLI_RUNTIME_DIR"):
        del wscli.env[variable]
    shutil.rmtree(wscli.runtime)
    for directory in ("own", "state", "other"):
        (wscli.directory / directory).mkdir(mode=0o755)
    (wscli.directory / "link").symlink_to("own")
    wscli.env["RUNTIME_DIRECTORY"] = f"{wscli.directory}/{name}:{wscli.directory}/other"
    wscli.env["STATE_DIRECTORY"] = f"{wscli.directory}/state"
    wscli.runtime = wscli.directory / "own"
    with wscli.up(LAZY):
        assert sorted(path.name for path in wscli.runtime.iterdir()) == ["app.json", "app.lock", "app.sock"]
        assert wscli("status", "--check", "-i", "app").returncode == 0
        del wscli.env["RUNTIME_DIRECTORY"]
        assert wscli("status", WSCLI_RUNTIME_DIR=str(wscli.runtime)).returncode == 0
        assert [path.name for path in Path(wscli.directory, "state").iterdir()] == ["app.lock"]
