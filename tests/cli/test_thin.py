"""What a short-lived command never imports: each of these would cost it more than all of its own work."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from tests.cli.commands import Cli, cli

__all__ = ["cli"]

HEAVY = (
    "asyncio",
    "websockets",
    "picows",
    "aiohttp",
    "yaml",
    "pydantic",
    "tenacity",
    "rich",
    "jq",
    "dataclasses",
    "inspect",
    "logging",
    "argparse",
    "subprocess",
    "ssl",
    "tempfile",
    "pathlib",
    "urllib",
    "http",
)
ALLOWED_BY_CLICK = ("inspect",)
"""click.core imports it, as the yardstick of our start-up does."""

VERBS = [
    ["stats", "--json"],
    ["stats"],
    ["status"],
    ["status", "--line"],
    ["status", "--json"],
    ["status", "--check"],
    ["send", "calls", "hello"],
    ["send", "calls", "--binary"],
    ["tail", "calls", "--no-follow"],
    ["tail", "calls", "--no-follow", "--json"],
    ["wait", "notifications"],
    ["start", "calls"],
    ["stop", "calls"],
    ["restart", "calls"],
    ["pause", "calls"],
    ["resume", "calls"],
    ["token", "get", "session"],
    ["token", "ls"],
    ["ls"],
    ["logs"],
    ["doctor", "calls"],
    ["connect", "calls", "--linger", "0"],
    ["stats", "nowhere"],
    ["down", "--timeout", "0"],
]


@pytest.mark.parametrize("args", VERBS, ids=" ".join)
async def test_a_thin_command_imports_nothing_heavy(cli: Cli, args: list[str]) -> None:
    code = (
        "import sys\nfrom wscli.cli import main\ncode = main()\n"
        f"heavy = sorted({set(HEAVY) - set(ALLOWED_BY_CLICK)!r} & set(sys.modules))\n"
        "sys.stderr.write('\\n' + ' '.join(heavy))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert err.decode().split("\n")[-1] == ""
