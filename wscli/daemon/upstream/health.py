"""How long an upstream has been without health, which decides when its backoff gives up."""

from __future__ import annotations

from wscli.clock import Clock
from wscli.core.snapshot import Snapshot
from wscli.core.states import ChannelState

__all__ = ["HealthClock"]


class HealthClock:
    """Counts the time without health, in seconds; time without a network is not counted."""

    __slots__ = ("_clock", "_offline_since", "_since")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: float | None = None
        self._offline_since = 0.0

    def dialled(self) -> None:
        """Count from the first dial."""
        self._since = self._clock.monotonic() if self._since is None else self._since

    def changed(self, before: Snapshot, after: Snapshot) -> None:
        """Stop counting where earlier failures were forgotten, and while no network leads to the server."""
        now = self._clock.monotonic()
        if after.generation != before.generation and after.failure is None:
            self._since = None
        was_offline, is_offline = before.state is ChannelState.OFFLINE, after.state is ChannelState.OFFLINE
        if is_offline and not was_offline:
            self._offline_since = now
        elif was_offline and not is_offline and self._since is not None:
            self._since += now - self._offline_since

    def healthy_for(self, ready_at: float | None) -> float:
        """Give how long a connection has been ready by now."""
        return 0.0 if ready_at is None else self._clock.monotonic() - ready_at

    def judged(self, ready_at: float | None, reset_after: float) -> tuple[float, float]:
        """Give how long a connection was ready, and how long the upstream has been without health.

        ``reset_after`` is the time after which a ready connection counts as healthy.
        """
        now, healthy_for = self._clock.monotonic(), self.healthy_for(ready_at)
        if healthy_for >= reset_after:
            self._since = now
        return healthy_for, 0.0 if self._since is None else now - self._since
