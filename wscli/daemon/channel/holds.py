"""Who holds back reading from the server: while anybody does, nothing is read from whatever connection there is."""

from __future__ import annotations

from collections.abc import Callable

from wscli.transport.link import Link

__all__ = ["Holds"]


class Holds:
    """The holds on one channel's connection; ``link`` gives it, while it is ready."""

    def __init__(self, link: Callable[[], Link | None]) -> None:
        self._link = link
        self._holders: set[str] = set()

    def take(self, holder: str) -> None:
        """Stop reading, on behalf of somebody."""
        self._holders.add(holder)
        link = self._link()
        if link is not None and len(self._holders) == 1:
            link.pause_reading()

    def release(self, holder: str) -> None:
        """Read on, unless somebody else holds it back."""
        self._holders.discard(holder)
        link = self._link()
        if link is not None and not self._holders:
            link.resume_reading()

    def moved(self, old: Link | None) -> None:
        """Hold the connection back that took the place of another; that one closes, and so is read from."""
        if self._holders and old is not None:
            old.resume_reading()
        link = self._link()
        if self._holders and link is not None:
            link.pause_reading()
