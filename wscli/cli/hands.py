"""What start, stop, restart, pause and resume have in common."""

from __future__ import annotations

from typing import Any

from wscli.cli.printing import note
from wscli.control.client import ask
from wscli.control.selection import Selection

__all__ = ["by_hand"]


def by_hand(selection: Selection, verb: str, args: dict[str, Any]) -> int:
    """Ask for it, and say how each channel stands now."""
    for one in ask(selection, verb, args)["channels"]:
        note(f"{one['channel']}: {one['state']}: {one['reason']['text']}")
    return 0
