"""``/ws/notifications``: numbered JSON notifications, the same to every client."""

from __future__ import annotations

import itertools
import json
import time
from collections import deque
from typing import Any

__all__ = ["Notifications"]

PAGE = 100
KEPT = 10_000

_TEXTS = (
    ("appointment", "Dr. Okafor can see Ms. Lindqvist at 10:40"),
    ("lab_result", "the blood count of Mr. Haddad has arrived"),
    ("prescription", "a refill for Ms. Moreau awaits a signature"),
    ("waiting_room", "Mr. Tanaka has checked in"),
)


class Notifications:
    """Makes notifications, numbered from 1, and keeps the last ones for clients that missed some."""

    def __init__(self) -> None:
        self.last = 0
        self._kept: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def make(self) -> str:
        """Make the next one, as JSON."""
        self.last += 1
        kind, text = _TEXTS[self.last % len(_TEXTS)]
        self._kept.append(
            {"type": "notification", "n": self.last, "kind": kind, "text": text, "at": round(time.time(), 3)}
        )
        return json.dumps(self._kept[-1], ensure_ascii=False)

    def after(self, number: int) -> list[dict[str, Any]]:
        """Give the first page of those with higher numbers, oldest first."""
        return list(itertools.islice((message for message in self._kept if message["n"] > number), PAGE))
