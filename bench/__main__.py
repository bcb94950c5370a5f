"""``python -m bench [tail|start|memory|latency|session|path]... [--json]``: all of them unless some are named."""

from __future__ import annotations

import argparse
import json
import os
import platform
from typing import Any

from bench import latency, memory, path, session, start, tail

_SHOW = {
    "tail": tail.show,
    "start": start.show,
    "memory": memory.show,
    "latency": latency.show,
    "session": session.show,
    "path": path.show,
}


def _machine() -> dict[str, Any]:
    load = round(os.getloadavg()[0], 1)
    return {"python": platform.python_version(), "cores": os.cpu_count(), "system": platform.platform(), "load": load}


def _measure(name: str, given: argparse.Namespace) -> dict[str, Any]:
    match name:
        case "tail":
            return tail.measure(count=given.messages, size=given.size, runs=given.runs)
        case "start":
            return start.measure(runs=given.runs * 6)
        case "memory":
            return memory.measure(channels=given.channels, runs=min(given.runs, 3))
        case "session":
            return session.measure(messages=20_000, runs=given.runs * 3)
        case "path":
            return path.measure(messages=20_000, runs=given.runs)
        case _:
            return latency.measure(messages=given.runs * 400)


def _known(name: str) -> str:
    if name not in _SHOW:
        raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(_SHOW)}")
    return name


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("what", nargs="*", type=_known, metavar="|".join(_SHOW), help="default: all")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--runs", type=int, default=5, help="of each, by turns (default: %(default)s)")
    parser.add_argument("--messages", type=int, default=200_000, help="to each reader (default: %(default)s)")
    parser.add_argument("--size", type=int, default=200, help="bytes of a message (default: %(default)s)")
    parser.add_argument("--channels", type=int, default=1000, help="of the memory measurement (default: %(default)s)")
    given = parser.parse_args()
    found: dict[str, dict[str, Any]] = {"machine": _machine()}
    if not given.json:
        print(", ".join(f"{name} {value}" for name, value in found["machine"].items()), end="\n\n")
    for name in given.what or _SHOW:
        found[name] = _measure(name, given)
        if not given.json:
            print(_SHOW[name](found[name]), flush=True)
    if given.json:
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
