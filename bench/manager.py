"""A manager under measurement: the installed command, with directories of its own."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.processes import Manager, Wscli

__all__ = ["config", "gateway_url", "without_picows", "wscli_with"]

TOKEN = "bench"


def config(
    port: int,
    *,
    channels: int = 1,
    compression: str = "none",
    path: str = "/",
    rate: str = "1000/s",
    gateway: bool = False,
    store: str = "memory",
) -> str:
    """Write a configuration of so many channels, ``c1`` and on, on one local endpoint."""
    names = "".join(
        f"  c{number}: {{endpoint: local, history: {{store: {store}}}}}\n" for number in range(1, channels + 1)
    )
    face = f"gateway: {{listen: '127.0.0.1:0', auth: {{token: {TOKEN}}}}}\n" if gateway else ""
    return face + (
        "version: 1\nname: bench\nendpoints:\n"
        f"  local: {{url: 'ws://127.0.0.1:{port}{path}', compression: {compression}, connect: {{rate: {rate}}}}}\n"
        f"backoff:\n  default: {{initial: 20ms, max: 100ms}}\nchannels:\n{names}"
    )


def gateway_url(manager: Manager, channel: str, more: str = "") -> str:
    """Give the URL of a channel on the gateway."""
    [place] = manager.stats()["gateway"]["listen"]
    return f"ws://{place}/ws/{channel}?token={TOKEN}{more}"


@contextlib.contextmanager
def without_picows() -> Iterator[dict[str, str]]:
    """Give an environment in which the extra ``fast`` is not installed."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "picows.py").write_text("raise ImportError('hidden by the benchmark')\n")
        yield {"PYTHONPATH": directory}


@contextlib.contextmanager
def wscli_with(text: str, **env: str) -> Iterator[tuple[Wscli, Manager]]:
    """Run a manager on a configuration, all of its channels ready."""
    with Wscli() as command:
        command.env |= env
        with command.up(text) as manager:
            names = list(manager.stats()["channels"])
            for first in range(0, len(names), 100):
                manager.wait_for(*names[first : first + 100], timeout=120)
            yield command, manager
