"""Processes and what they cost."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Self

__all__ = ["BlasterProcess", "cpu_seconds", "median", "ratio", "resident_bytes"]


def cpu_seconds(pid: int) -> float:
    """Processor seconds that a process and its threads have used so far, to the nanosecond (Linux)."""
    used = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        used += int((task / "schedstat").read_text().split()[0])
    return used / 1e9


def resident_bytes(pid: int) -> int:
    """Memory of a process that is in RAM (VmRSS)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def median(values: Iterable[float]) -> float:
    """The median."""
    return statistics.median(values)


def ratio(one: float, other: float) -> float:
    """How many times the other."""
    return one / other if other else float("nan")


class BlasterProcess:
    """``bench.blaster`` in a process of its own."""

    def __init__(self, count: int, size: int) -> None:
        command = [sys.executable, "-m", "bench.blaster", str(count), str(size)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.port = int(self._line())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the blaster ended")
        return line

    def wait_connected(self, count: int) -> None:
        """Return once so many clients are connected at once."""
        while self._line().split() != ["connected", str(count)]:
            pass

    def go(self, *, close: bool) -> None:
        """Send to everyone, now."""
        assert self._process.stdin is not None
        self._process.stdin.write("go close\n" if close else "go\n")
        self._process.stdin.flush()
