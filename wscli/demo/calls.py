"""``/ws/calls``: calls that ring, are answered and end, by a scenario or by a client's command."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

from wscli.demo.client import DemoClient

__all__ = ["CallLine", "CallTimes"]

_TRANSITIONS: Mapping[tuple[str, str], tuple[str, str | None]] = {
    ("ringing", "answer"): ("answered", None),
    ("ringing", "hang_up"): ("ended", "declined"),
    ("ringing", "give_up"): ("ended", "missed"),
    ("ringing", "cancel"): ("ended", "cancelled"),
    ("answered", "hang_up"): ("ended", "hung up"),
    ("answered", "finish"): ("ended", "completed"),
}
"""(state, event) -> (next state, why the call ended)."""

_SCENARIOS = ("answer", "give_up", "cancel")
"""The events of ringing calls that clients leave alone, in turn."""

_CALLERS = ("Ms. Lindqvist", "Mr. Haddad", "Ms. Moreau", "Mr. Tanaka")


class CallTimes(NamedTuple):
    """How long the parts of a call last, in seconds; ``pause`` lies between two calls."""

    pause: float = 5.0
    ring: float = 4.0
    talk: float = 10.0


class CallLine:
    """One line with at most one call; ``show`` is given each change of it as JSON, for every client."""

    def __init__(self, times: CallTimes, show: Callable[[str], None]) -> None:
        self._times = times
        self._show = show
        self._call: dict[str, str] = {"state": "ended"}
        self._changed = asyncio.Event()

    def command(self, client: DemoClient, message: str | bytes) -> None:
        """Apply a client's ``{"type": "answer"}`` or ``{"type": "hang_up"}``; reply where it does not apply."""
        try:
            event = json.loads(message)["type"]
        except (ValueError, TypeError, LookupError):
            event = None
        if event not in ("answer", "hang_up"):
            client.push_json(type="error", text='send {"type": "answer"} or {"type": "hang_up"}')
        elif not self._apply(event):
            client.push_json(type="error", text=f"there is no call to {event.replace('_', ' ')}")

    async def run(self) -> None:
        """Let one call after another ring, until cancelled."""
        for number in itertools.count(1):
            await asyncio.sleep(self._times.pause)
            caller = _CALLERS[number % len(_CALLERS)]
            self._call = {"type": "call", "call": f"c{number}", "caller": caller, "state": "ringing"}
            self._show(json.dumps(self._call))
            await self._after(self._times.ring, _SCENARIOS[(number - 1) % len(_SCENARIOS)])
            if self._call["state"] == "answered":
                await self._after(self._times.talk, "finish")

    async def _after(self, seconds: float, event: str) -> None:
        """Apply an event after some seconds, unless a client's command changes the call before."""
        self._changed.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            self._apply(event)

    def _apply(self, event: str) -> bool:
        """Change the state of the call; False where the event does not apply to it."""
        transition = _TRANSITIONS.get((self._call["state"], event))
        if transition is None:
            return False
        self._call["state"], reason = transition
        if reason is not None:
            self._call["reason"] = reason
        self._show(json.dumps(self._call))
        self._changed.set()
        return True
