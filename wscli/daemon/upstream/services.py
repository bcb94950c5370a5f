"""What all upstreams and channels of a manager share."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wscli.clock import Clock
from wscli.daemon.upstream.dial.destination import Lookups
from wscli.daemon.upstream.dial.dialer import Dialer
from wscli.daemon.upstream.keepalive import KeepaliveWheel
from wscli.net.http import HttpClient
from wscli.session.actions import CountUnrouted
from wscli.tasks import Tasks
from wscli.timing import Schedule
from wscli.tokens.broker import Broker

__all__ = ["Services", "Unrouted"]


@dataclass(slots=True)
class Unrouted:
    """Counts the messages that no channel's ``route`` fits, of all upstreams that ever were."""

    messages: int = 0

    def count(self, more: CountUnrouted) -> None:
        """Count more of them."""
        self.messages += more.messages


@dataclass(frozen=True, slots=True)
class Services:
    """One of each for the whole manager.

    ``reachable`` says whether a route leads to an IP address, and ``source`` at which address of ours it begins.
    """

    dialer: Dialer
    broker: Broker
    http: HttpClient
    wheel: KeepaliveWheel
    tasks: Tasks
    clock: Clock
    chance: random.Random
    reachable: Callable[[str], bool]
    source: Callable[[str], str | None]
    lookups: Lookups
    schedule: Schedule
    base: Path
    """The directory of the YAML file, in which commands run."""
    environ: Mapping[str, str]
    """The environment of commands."""
    unrouted: Unrouted = field(default_factory=Unrouted)
