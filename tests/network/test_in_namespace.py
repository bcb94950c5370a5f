"""The monitor and the route look-up on a real network: Linux network namespaces, each with its own virtual cable."""

from __future__ import annotations

import contextlib
import functools
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SCENARIOS = Path(__file__).with_name("scenarios.py")


@functools.cache
def unshare() -> list[str] | str:
    """Find the command that makes a network namespace; a text says why there is none."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if shutil.which("ip") is None:
        return "the ip command (Debian: iproute2) is missing"
    said = "no attempt was made"
    for options in (["--net"], ["--map-root-user", "--net"]):
        command = ["unshare", *options]
        probe = [*command, "ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1"]
        made = subprocess.run(probe, capture_output=True, text=True, timeout=30, check=False)
        if made.returncode == 0:
            return command
        said = made.stderr.strip()
    return f"a network namespace with a virtual cable is not permitted here: {said}"


NAMES = ["empty", "cable", "cable6", "told_again", "burst", "overflow", "polled", "no_packet"]


@pytest.fixture(scope="module")
def scenarios() -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Start all at once: they wait for the kernel most of the time, and none sees the network of another."""
    command = unshare()
    if isinstance(command, str):
        pytest.skip(command)
    with contextlib.ExitStack() as running:
        yield {
            name: running.enter_context(
                subprocess.Popen(
                    [*command, sys.executable, "-W", "error", str(SCENARIOS), name], stderr=subprocess.PIPE, text=True
                )
            )
            for name in NAMES
        }


@pytest.mark.parametrize("name", NAMES)
def test_in_a_namespace(scenarios: dict[str, subprocess.Popen[str]], name: str) -> None:
    """See scenarios.py for what each one promises."""
    _, errors = scenarios[name].communicate(timeout=110)
    assert scenarios[name].returncode == 0, errors
