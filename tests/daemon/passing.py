"""Time that passes at once: a test of a deadline waits for the moment that it is about, not for the deadline."""

from __future__ import annotations

import asyncio

__all__ = ["let_pass"]


def let_pass(seconds: float) -> None:
    """Move the clock of the running loop on: the timers that are due by then ring in its next turn."""
    loop = asyncio.get_running_loop()
    now = loop.time
    loop.time = lambda: now() + seconds  # type: ignore[method-assign]  # for this loop alone, and a test has its own
