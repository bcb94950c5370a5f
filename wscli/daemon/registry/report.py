"""What a reload did."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ReloadReport"]


class ReloadReport(NamedTuple):
    """Names of channels, by what a new plan did to them."""

    kept: list[str]
    updated: list[str]
    rotated: list[str]
    restarted: list[str]
    added: list[str]
    removed: list[str]
