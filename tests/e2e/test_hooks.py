"""Hooks of a real manager: run for what happens, changed by a reload, shown when they fail, ended with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil

from tests.backend.process import BackendProcess
from tests.processes import Wscli
from tests.waiting import until


def config(backend: BackendProcess, on_message: str) -> str:
    on_state = '[sh, -c, "cat >> states"]'
    hooks = f"on_state: {on_state}, on_message: {on_message}"
    return backend.config("hooked", f"notifications: {{path: /notifications, {hooks}}}")


def handler(directory: Path, script: str) -> None:
    (directory / "handle").write_text(f"#!/bin/sh\n{script}\n")
    (directory / "handle").chmod(0o700)


def records(path: Path) -> list[Any]:
    text = path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def test_commands_run_for_states_and_for_the_messages_that_fit(wscli: Wscli, backend: BackendProcess) -> None:
    handler(wscli.directory, "cat >> messages; env | grep ^WSCLI_ | sort > env")
    fitting = "{exec: [./handle], jq: '.n > 2 and .pad', parallel: 1, timeout: 10s}"
    with wscli.up(config(backend, fitting)) as manager:
        manager.wait_for("notifications")
        backend.order("blast", count=5)
        found = until(lambda: (seen := records(wscli.directory / "messages")) and len(seen) >= 2 and seen)
        assert all(json.loads(one["data"])["n"] > 2 for one in found)
        assert [one["seq"] for one in found] == sorted(one["seq"] for one in found)
        expected = "WSCLI_CHANNEL=notifications\nWSCLI_HOOK=on_message\nWSCLI_INSTANCE=hooked\n"
        until(lambda: expected in (wscli.directory / "env").read_text())  # each run writes it anew
        states = until(lambda: (seen := records(wscli.directory / "states")) and len(seen) >= 3 and seen)
        assert [one["state"] for one in states[:3]] == ["connecting", "handshaking", "ready"]
        counts = manager.until_stats(
            lambda stats: not stats["channels"]["notifications"]["hooks"]["on_message"]["running"]
        )
        assert counts["channels"]["notifications"]["hooks"]["on_message"]["failures"] == 0


def test_a_failing_hook_is_shown_until_a_reload_mends_it_without_a_dial(wscli: Wscli, backend: BackendProcess) -> None:
    handler(wscli.directory, "echo 'no such call' >&2; exit 3")
    text = config(backend, "[./handle]")
    with wscli.up(text) as manager:
        manager.wait_for("notifications")
        tail = wscli.start("tail", "notifications")
        manager.until_stats(lambda stats: stats["channels"]["notifications"]["readers"] == 1)
        backend.order("make_notifications")
        problem = "on_message: exited with 3: no such call"
        until(lambda: wscli.json("status", "--json")["problems"] == [problem])
        assert f"problem: notifications: {problem}\n" in wscli("status").stdout
        assert wscli("status", "--line").stdout == "hooked: 1/1 ready; 1 problem\n"
        tail.until_lines(1)  # nobody else feels it
        dials = backend.stats()["dials"]

        wscli.file(text.replace("[./handle]", '[sh, -c, "cat >> messages"]'))
        assert wscli("reload").returncode == 0
        assert wscli.json("status", "--json")["problems"] == []
        backend.order("make_notifications")
        until(lambda: records(wscli.directory / "messages"))
        assert backend.stats()["dials"] == dials
        assert tail.stop() in (0, 143)


def test_the_end_of_the_manager_kills_what_hangs(wscli: Wscli, backend: BackendProcess) -> None:
    handler(wscli.directory, "trap '' TERM; echo $$ > pid; sleep 1000; true")
    with wscli.up(config(backend, "{exec: [./handle], timeout: 1h}")) as manager:
        manager.wait_for("notifications")
        backend.order("make_notifications")
        until(lambda: (wscli.directory / "pid").exists() and (wscli.directory / "pid").read_text().endswith("\n"))
        process = psutil.Process(int((wscli.directory / "pid").read_text()))
        children = [process, *process.children(recursive=True)]
        assert wscli("down", "--timeout", "60s").returncode == 0
        assert not psutil.wait_procs(children, timeout=30)[1]
        manager.wait()
