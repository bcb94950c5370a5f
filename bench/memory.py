"""Resident memory of a manager with one channel and with many: default transport, no compression."""

from __future__ import annotations

from typing import Any

from bench.manager import config, without_picows, wscli_with
from bench.measure import BlasterProcess, median, resident_bytes
from bench.report import table

__all__ = ["measure", "show"]


def measure(*, channels: int, runs: int) -> dict[str, Any]:
    """Give the medians in bytes, with and without the extra."""
    return {
        "channels": channels,
        "runs": runs,
        "results": [_measure(channels, runs, fast=fast) for fast in (False, True)],
    }


def _measure(channels: int, runs: int, *, fast: bool) -> dict[str, Any]:
    one = median(_resident(1, fast=fast) for _ in range(runs))
    many = median(_resident(channels, fast=fast) for _ in range(runs))
    return {
        "name": "with the extra" if fast else "default transport",
        "one": one,
        "many": many,
        "added": many - one,
        "each": (many - one) / (channels - 1),
    }


def _resident(channels: int, *, fast: bool) -> int:
    with (
        BlasterProcess(1, 200) as blaster,
        without_picows() as hidden,
        wscli_with(config(blaster.port, channels=channels), **({} if fast else hidden)) as (_, manager),
    ):
        return resident_bytes(manager.pid)


def show(found: dict[str, Any]) -> str:
    """Lay out the medians."""
    rows = [
        [
            one["name"],
            f"{one['one'] / 2**20:.1f} MiB",
            f"{one['many'] / 2**20:.1f} MiB",
            f"{one['added'] / 2**20:.1f} MiB",
            f"{one['each'] / 1024:.1f} KiB",
        ]
        for one in found["results"]
    ]
    head = ["manager", "1 channel", f"{found['channels']:,} channels", "added", "each"]
    return table(f"resident memory of the manager, median of {found['runs']}", head, rows)
