"""Whole-process start: ``wscli stats --json`` and others beside Python and the modules that they need."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.manager import config, wscli_with
from bench.measure import BlasterProcess, median, ratio
from bench.report import table
from tests.processes import Wscli

__all__ = ["measure", "show"]

BASE = "python -c 'import click, json, socket'"


def measure(*, runs: int) -> dict[str, Any]:
    """Start each by turns, ``runs`` times, and give the medians in seconds."""
    program = str(Path(sys.executable).with_name("wscli"))
    with BlasterProcess(1, 200) as blaster, wscli_with(config(blaster.port)) as (wscli, _):
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            BASE: [sys.executable, "-c", "import click, json, socket"],
            "wscli stats --json": [program, "stats", "--json"],
            "wscli status --line": [program, "status", "--line"],
            "wscli send c1 x": [program, "send", "c1", "x"],
            "wscli tail c1 --no-follow": [program, "tail", "c1", "--no-follow"],
        }
        seen: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(runs + 2):
            for name in random.sample(list(commands), len(commands)):  # no one always follows the same other
                seen[name].append(_start(commands[name], wscli))
    kept = {name: pairs[2:] for name, pairs in seen.items()}  # the first two warm the caches
    wall = {name: median(one for one, _ in pairs) for name, pairs in kept.items()}
    cpu = {name: median(one for _, one in pairs) for name, pairs in kept.items()}
    results = [
        {
            "name": name,
            "seconds": wall[name],
            "to_base": ratio(wall[name], wall[BASE]),
            "cpu_s": cpu[name],
            "cpu_to_base": ratio(cpu[name], cpu[BASE]),
        }
        for name in commands
    ]
    return {"runs": runs, "base": BASE, "results": results}


def _start(command: list[str], wscli: Wscli) -> tuple[float, float]:
    """Run it to its end, and give wall and processor seconds."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=wscli.env, cwd=wscli.directory, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return seconds, usage.ru_utime + usage.ru_stime


def show(found: dict[str, Any]) -> str:
    """Lay out the medians."""
    rows = [
        [
            one["name"],
            f"{one['seconds'] * 1000:.1f} ms",
            f"{one['to_base']:.2f}",
            f"{one['cpu_s'] * 1000:.1f} ms",
            f"{one['cpu_to_base']:.2f}",
        ]
        for one in found["results"]
    ]
    head = ["start", "wall", "ratio", "processor", "ratio"]
    return table(f"whole process, median of {found['runs']}", head, rows)
