"""What the monitor listens to: the kernel's own word, or a look every few seconds."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Source"]


class Source(Protocol):
    """Calls back in the loop's thread whenever routes, addresses or interfaces may have changed."""

    def close(self) -> None:
        """Call back no more."""
