"""Commands run in this process against a served scripted manager: ``from tests.cli.commands import cli``."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from tests.daemon.served import Served, serve
from wscli.cli import main

__all__ = ["Cli", "Result", "cli", "start", "started"]


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def start(*args: str | bytes, **options: Any) -> asyncio.subprocess.Process:
    """Start ``wscli`` as a process of its own."""
    return await asyncio.create_subprocess_exec(sys.executable, "-m", "wscli", *args, **options)


@asynccontextmanager
async def started(*args: str, stdout: int = subprocess.PIPE) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run ``wscli`` as a process for a minute at most, and kill it if it still runs at the end."""
    process = await start(*args, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE)
    try:
        async with asyncio.timeout(60):
            yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


class Cli:
    """``await cli("stats", "--json")``: the real program but for its process."""

    def __init__(self, served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.served = served
        self.manager = served.manager
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    async def __call__(self, *args: str, stdin: bytes = b"") -> Result:
        return await asyncio.to_thread(self._run, list(args), stdin)

    def _run(self, args: list[str], stdin: bytes) -> Result:
        with tempfile.TemporaryFile() as file:
            file.write(stdin)
            file.seek(0)
            with io.TextIOWrapper(file) as text:
                self._monkeypatch.setattr(sys, "stdin", text)
                self._capsys.readouterr()
                code = main(args)
            out, err = self._capsys.readouterr()
        return Result(code, out, err)


@pytest_asyncio.fixture
async def cli(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[Cli]:
    for name in ("WSCLI_INSTANCE", "NO_COLOR", "WSCLI_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    async with serve() as served:
        monkeypatch.setenv("WSCLI_RUNTIME_DIR", served.instance.directory)
        yield Cli(served, capsys, monkeypatch)
