"""What a session remembers beyond its connection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["Memory"]


class Memory:
    """What one upstream remembers from one connection to the next; one object an upstream."""

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        """``kept`` is what an earlier process kept."""
        self.kept: dict[str, Any] = dict(kept or {})
        """What ``keep`` keeps of the upstream: ``{var.x}``."""
        self.subscribed: dict[str, Any] = {}
        """The channels that are ready on the last connection, by name."""
        self.orders: dict[str | None, int] = {}
        """The last number of ``order``, by channel; None is the upstream's."""
        self.undelivered: set[str | None] = set()
        """The channels that were held messages for as the last connection ended; None: any."""
        self.owner: object = None
        """The session whose kept values these are: of the ready connection, or of the only one."""

    def forget(self) -> None:
        """Forget all of it, for a verdict ``fresh``; each channel's kept values are its own."""
        self.kept.clear()
        self.subscribed.clear()
        self.orders.clear()
