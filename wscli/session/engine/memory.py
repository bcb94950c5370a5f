"""What a session remembers beyond its connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

__all__ = ["Lost", "Memory", "Subscribed"]


class Subscribed(NamedTuple):
    """A subscription that the server may keep beyond its connection."""

    variables: dict[str, Any]
    """``{sub.x}``."""
    rendered: list[Any]
    """What was sent for it, with references masked."""


@dataclass(slots=True)
class Lost:
    """What was on a connection when it ended; that of the last ready one is remembered."""

    subscribed: dict[str, Subscribed] | None = None
    """The channels that were ready, by name; None: not known, since an earlier process held them."""
    orders: dict[str | None, int] = field(default_factory=dict)
    """The last number of ``order``, by channel; None is the upstream's."""
    undelivered: set[str | None] = field(default_factory=set)
    """The channels for which messages were held; None: all, during ``hello``."""


class Memory:
    """What one upstream remembers from one connection to the next; one object an upstream."""

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        """``kept`` is what an earlier process kept."""
        self.kept: dict[str, Any] = dict(kept or {})
        """What ``keep`` keeps of the upstream: ``{var.x}``."""
        self.lost = Lost()
        self.owner: object = None
        """The session whose kept values these are: of the ready connection, or of the only one."""

    def forget(self) -> None:
        """Forget all of it, for a verdict ``fresh``; each channel's kept values are its own."""
        self.kept.clear()
        self.lost = Lost(subscribed={})
