"""``/ws/notifications``: numbered JSON notifications, the same to everyone, at an interval or on request."""

from __future__ import annotations

import asyncio
import itertools
import json

from wscli.clock import Clock
from wscli.demo.clients import Clients

__all__ = ["NOTIFICATIONS", "Notifications"]

NOTIFICATIONS = "/ws/notifications"

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

    def notify(self) -> int:
        """Send the next one to everyone who listens; return its number."""
        number = next(self._numbers)
        kind, text = _TEXTS[number % len(_TEXTS)]
        at = round(self._clock.wall(), 3)
        message = {"type": "notification", "n": number, "kind": kind, "text": text, "at": at}
        self._clients.push(NOTIFICATIONS, json.dumps(message, ensure_ascii=False))
        return number

    async def run(self, interval: float) -> None:
        """Send one every ``interval`` seconds, until cancelled."""
        while True:
            await asyncio.sleep(interval)
            self.notify()
