"""One and ten readers of one channel, to files: ``wscli tail`` beside ``websocat`` and ``wscat``."""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench.contestants import CONTESTANTS, Round, absent
from bench.measure import BlasterProcess, median, ratio
from bench.report import table

__all__ = ["measure", "show"]


def measure(*, count: int, size: int, runs: int, readers: tuple[int, ...] = (1, 10)) -> dict[str, Any]:
    """Run all contestants by turns, ``runs`` times, and give the medians."""
    names = [name for name in CONTESTANTS if absent(name) is None]
    rounds: defaultdict[tuple[str, int], list[Round]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="wscli-bench-") as directory:
        for run in range(runs):
            for reader_count in readers:
                for name in names:
                    with BlasterProcess(count, size) as blaster:
                        done = CONTESTANTS[name](blaster, reader_count, count, size, Path(directory))
                    rounds[name, reader_count].append(done)
                    print(f"run {run + 1}, {reader_count} x {name}: {done.seconds:.2f} s", file=sys.stderr)
    results = [_result(name, reader_count, done, count) for (name, reader_count), done in rounds.items()]
    for result in results:
        base = next((one for one in results if one["name"] == "websocat" and one["readers"] == result["readers"]), None)
        if base is not None:
            result["speed_to_websocat"] = ratio(result["messages_per_s"], base["messages_per_s"])
            result["cpu_to_websocat"] = ratio(result["cpu_s"], base["cpu_s"])
    left_out = {name: reason for name in CONTESTANTS if (reason := absent(name))}
    return {"messages": count, "bytes": size, "runs": runs, "results": results, "left_out": left_out}


def _result(name: str, readers: int, rounds: list[Round], count: int) -> dict[str, Any]:
    speeds = [count / one.seconds for one in rounds]
    return {
        "name": name,
        "readers": readers,
        "messages_per_s": median(speeds),
        "slowest": min(speeds),
        "fastest": max(speeds),
        "cpu_s": median(one.cpu for one in rounds),
    }


def show(found: dict[str, Any]) -> str:
    """Lay out the medians."""
    rows = [
        [
            result["name"],
            str(result["readers"]),
            f"{result['messages_per_s'] / 1e6:.2f} M",
            f"{result['slowest'] / 1e6:.2f}..{result['fastest'] / 1e6:.2f}",
            f"{result['cpu_s']:.2f} s",
            f"{result.get('speed_to_websocat', float('nan')):.2f}",
            f"{result.get('cpu_to_websocat', float('nan')):.2f}",
        ]
        for result in sorted(found["results"], key=lambda result: int(result["readers"]))
    ]
    head = ["to files", "readers", "messages/s each", "range", "processor", "speed : websocat", "processor : websocat"]
    title = f"{found['messages']:,} messages of {found['bytes']} bytes, median of {found['runs']}"
    notes = "".join(f"{name} is left out: {reason}\n" for name, reason in found["left_out"].items())
    return table(title, head, rows) + notes
