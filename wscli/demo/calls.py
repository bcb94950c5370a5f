"""``/ws/calls``: calls that ring, are answered and end, by a scenario or by the hand of a client."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Coroutine, Mapping
from typing import Any

from wscli.demo.clients import Client, Clients
from wscli.demo.options import CallTimes

__all__ = ["CALLS", "SCENARIOS", "TRANSITIONS", "CallLine"]

CALLS = "/ws/calls"

TRANSITIONS: Mapping[tuple[str, str], tuple[str, str | None]] = {
    ("ringing", "answer"): ("answered", None),
    ("ringing", "hang_up"): ("ended", "declined"),
    ("ringing", "give_up"): ("ended", "missed"),
    ("ringing", "cancel"): ("ended", "cancelled"),
    ("answered", "hang_up"): ("ended", "hung up"),
    ("answered", "finish"): ("ended", "completed"),
}
"""(state, event) -> (next state, why it ended)."""

SCENARIOS: Mapping[str, str] = {"answered": "answer", "missed": "give_up", "cancelled": "cancel"}
"""What happens to a ringing call that no client touches: scenario -> event."""

_CALLERS = ("Ms. Lindqvist", "Mr. Haddad", "Ms. Moreau", "Mr. Tanaka")


class CallLine:
    """One line with at most one call on it; every client sees it, and any may answer or hang up."""

    def __init__(self, clients: Clients, times: CallTimes) -> None:
        self._clients = clients
        self._times = times
        self._numbers = itertools.count(1)
        self._call: dict[str, Any] | None = None
        self._moved = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether a call rings or is being held."""
        return self._call is not None

    def event(self, name: str) -> bool:
        """Apply an event to the call; False where it does not fit."""
        if self._call is None or (self._call["state"], name) not in TRANSITIONS:
            return False
        state, why = TRANSITIONS[self._call["state"], name]
        self._call["state"] = state
        if why:
            self._call["reason"] = why
        self._show()
        if state == "ended":
            self._call = None
        self._moved.set()
        return True

    def _show(self) -> None:
        self._clients.push(CALLS, json.dumps(self._call, ensure_ascii=False))

    def command(self, client: Client, message: str | bytes) -> None:
        """Take ``{"type": "answer"}`` or ``{"type": "hang_up"}`` from a client; tell it where that does not fit."""
        try:
            wanted = json.loads(message)["type"]
        except (ValueError, TypeError, LookupError):
            wanted = None
        if wanted not in ("answer", "hang_up"):
            client.push_json(type="error", text='send {"type": "answer"} or {"type": "hang_up"}')
        elif not self.event(wanted):
            client.push_json(type="error", text=f"there is no call to {wanted.replace('_', ' ')}")

    def ring(self, scenario: str) -> Coroutine[Any, Any, None]:
        """Let a call ring, and give the rest: awaited, it plays the scenario, unless clients decide otherwise.

        Raises:
            ValueError: there is no such scenario, or the line is busy.

        """
        if scenario not in SCENARIOS:
            raise ValueError(f"{scenario!r} is not a scenario; there are {', '.join(SCENARIOS)}")
        if self.busy:
            raise ValueError("the line is busy")
        number = next(self._numbers)
        caller = _CALLERS[number % len(_CALLERS)]
        call = self._call = {"type": "call", "call": f"c{number}", "caller": caller, "state": "ringing"}
        self._show()
        return self._play(call, SCENARIOS[scenario])

    async def _play(self, call: dict[str, Any], event: str) -> None:
        await self._next(self._times.ring, event)
        if self._call is call:
            await self._next(self._times.talk, "finish")

    async def _next(self, seconds: float, event: str) -> None:
        self._moved.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._moved.wait()
        except TimeoutError:
            self.event(event)

    async def run(self) -> None:
        """Play one scenario after another, until cancelled."""
        for scenario in itertools.cycle(SCENARIOS):
            await asyncio.sleep(self._times.pause)
            if not self.busy:
                await self.ring(scenario)
