"""``/ws/notifications``: numbered JSON notifications, the same to everyone, at an interval or on request."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from typing import Any

from wscli.clock import Clock
from wscli.demo.clients import Clients

__all__ = ["MISSED", "NOTIFICATIONS", "Notifications"]

NOTIFICATIONS = "/ws/notifications"
MISSED = "/notifications"
"""Where ``GET ?after=N`` gives those with higher numbers, a page at a time."""
PAGE = 100
KEPT = 10_000

_TEXTS = (
    ("appointment", "Dr. Okafor can see Ms. Lindqvist at 10:40"),
    ("lab_result", "the blood count of Mr. Haddad has arrived"),
    ("prescription", "a refill for Ms. Moreau awaits a signature"),
    ("waiting_room", "Mr. Tanaka has checked in"),
)


class Notifications:
    """Numbers them from 1, whoever listens."""

    def __init__(self, clients: Clients, clock: Clock) -> None:
        self._clients = clients
        self._clock = clock
        self._numbers = itertools.count(1)
        self._kept: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def notify(self) -> int:
        """Send the next one to everyone who listens; return its number."""
        number = next(self._numbers)
        kind, text = _TEXTS[number % len(_TEXTS)]
        at = round(self._clock.wall(), 3)
        message = {"type": "notification", "n": number, "kind": kind, "text": text, "at": at}
        self._kept.append(message)
        self._clients.push(NOTIFICATIONS, json.dumps(message, ensure_ascii=False))
        return number

    def after(self, number: int) -> list[dict[str, Any]]:
        """Give those after a number, oldest first: a page of them, as far as they are kept."""
        return list(itertools.islice((message for message in self._kept if message["n"] > number), PAGE))

    async def run(self, interval: float) -> None:
        """Send one every ``interval`` seconds, until cancelled."""
        while True:
            await asyncio.sleep(interval)
            self.notify()
