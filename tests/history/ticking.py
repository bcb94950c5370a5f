"""A clock that tests set."""

from __future__ import annotations


class Ticking:
    """Its wall clock stands where it was put."""

    def __init__(self, now: float = 1_764_000_000.0) -> None:
        self.now = now

    def monotonic(self) -> float:
        return self.now

    def boottime(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now
