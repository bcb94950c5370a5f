"""What a shell completes: asked of the manager, and silent without one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cli.commands import Cli, cli, start

__all__ = ["cli"]


async def completed(line: str) -> list[str]:
    """Give what bash would be offered at the end of a line."""
    environ = {"_WSCLI_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    process = await start(env={**os.environ, **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = await process.communicate()
    assert err == b""
    return [entry.partition(",")[2] for entry in out.decode().splitlines() if entry]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("wscli sta", ["stats", "status", "start"]),
        ("wscli tail ", ["notifications", "calls", "rooms/"]),
        ("wscli tail no", ["notifications"]),
        ("wscli tail calls ", ["notifications", "rooms/"]),
        ("wscli send c", ["calls"]),
        ("wscli -i ", ["app"]),
        ("wscli stats -i a", ["app"]),
        ("wscli -i app wait c", ["calls"]),
        ("wscli -i none wait c", []),
        ("wscli token get s", ["session"]),
        ("wscli token re", ["refresh"]),
        ("wscli tial n", []),
    ],
)
async def test_names_are_completed(cli: Cli, line: str, offered: list[str]) -> None:
    assert await completed(line) == offered


async def test_without_a_manager_nothing_is_offered_and_nothing_said(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSCLI_RUNTIME_DIR", "/nowhere")
    assert await completed("wscli tail ") == []
    assert await completed("wscli -i ") == []


async def test_a_broken_registration_is_passed_over_without_a_word(cli: Cli) -> None:
    broken = f"{cli.served.instance.directory}/broken.json"
    os.mkfifo(broken)
    assert await completed("wscli tail no") == ["notifications"]
    assert await completed("wscli -i ") == ["app"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wscli"],
        env={**os.environ, "_WSCLI_COMPLETE": f"{shell}_source"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "_WSCLI_COMPLETE" in done.stdout
