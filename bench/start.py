"""Whole-process start: ``wscli stats --json`` and others beside Python and the modules that they need."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.manager import config, wscli_with
from bench.measure import BlasterProcess, median, ratio
from bench.report import table

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
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(runs + 2):
            for name, command in commands.items():
                began = time.perf_counter()
                subprocess.run(
                    command, env=wscli.env, cwd=wscli.directory, stdout=subprocess.DEVNULL, timeout=30, check=True
                )
                times[name].append(time.perf_counter() - began)
    medians = {name: median(seen[2:]) for name, seen in times.items()}  # the first two warm the caches
    results = [
        {"name": name, "seconds": seconds, "to_base": ratio(seconds, medians[BASE])}
        for name, seconds in medians.items()
    ]
    return {"runs": runs, "base": BASE, "results": results}


def show(found: dict[str, Any]) -> str:
    """Lay out the medians."""
    rows = [[one["name"], f"{one['seconds'] * 1000:.1f} ms", f"{one['to_base']:.2f}"] for one in found["results"]]
    return table(f"whole process, median of {found['runs']}", ["start", "wall", "ratio"], rows)
