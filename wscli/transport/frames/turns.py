"""Shares the turns of the event loop between connections, so that a flood on one does not hold up the others.

A connection parses what it reads in slices. Once it has used up its share of a turn it stops reading, keeps the rest,
and waits here; those that wait go on in their order, one share after the other. While some wait, a connection that has
read something parses one slice at once, so that a calm one need not wait behind them.
"""

from __future__ import annotations

import asyncio
from typing import Protocol
from weakref import WeakKeyDictionary

__all__ = ["TURN_MESSAGES", "TURN_SECONDS", "Turns", "turns_of"]

TURN_SECONDS = 0.005
"""Seconds of parsing in one turn of the loop."""
TURN_MESSAGES = 2048
"""Messages of one connection in one turn."""


class TurnTaker(Protocol):
    """A connection that keeps received data for a later turn."""

    def take_turn(self) -> None:
        """Parse one share of the data; wait again if there is more."""


class Turns:
    """The connections of one loop that wait for their turn."""

    def __init__(self) -> None:
        self._waiting: dict[TurnTaker, None] = {}
        self._scheduled = False

    @property
    def crowded(self) -> bool:
        """Whether connections wait."""
        return bool(self._waiting)

    def wait(self, taker: TurnTaker) -> None:
        """Call ``take_turn`` in a later turn of the running loop, after those that wait already."""
        self._waiting[taker] = None
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._run)

    def _run(self) -> None:
        self._scheduled = False
        time = asyncio.get_running_loop().time
        until = time() + TURN_SECONDS
        try:
            for taker in list(self._waiting):
                del self._waiting[taker]
                taker.take_turn()
                if time() >= until:
                    break
        finally:
            self._schedule()


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = WeakKeyDictionary()


def turns_of(loop: asyncio.AbstractEventLoop) -> Turns:
    """Give the turns of a loop."""
    if loop not in _turns:
        _turns[loop] = Turns()
    return _turns[loop]
