"""What a short-lived command never imports: each of these would cost it more than all of its own work."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys

import pytest

from tests.cli.commands import Cli, cli

__all__ = ["cli"]

HEAVY = {
    "asyncio", "websockets", "picows", "aiohttp", "yaml", "pydantic", "tenacity", "rich", "jq", "dataclasses",
    "logging", "argparse", "subprocess", "ssl", "tempfile", "pathlib", "urllib", "http",
}  # fmt: skip
"""Not ``inspect``: click.core imports it, as the yardstick of our start-up does."""

VERBS = """
stats --json, stats, status, status --line, status --json, status --check, send calls hello, send calls --binary
tail calls --no-follow, tail calls --no-follow --json, tail calls --no-follow --last 1 --count 1 --timeout 30s
wait notifications, start calls, stop calls, restart calls, rotate calls, pause calls, resume calls
token get session, token ls, stats nowhere, ls, logs, doctor calls, connect calls --linger 0, down --timeout 0
"""


@pytest.mark.parametrize("line", re.split(r", |\n", VERBS.strip()))
async def test_a_thin_command_imports_nothing_heavy(cli: Cli, line: str) -> None:
    code = (
        "import sys\nfrom wscli.cli import main\ncode = main()\n"
        f"heavy = sorted({HEAVY!r} & set(sys.modules))\n"
        "sys.stderr.write('\\n' + ' '.join(heavy))"
    )
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, *line.split(), **pipes)
    _, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert err.decode().split("\n")[-1] == ""
