"""The parts of the manager's process that the handlers of requests work on."""

from __future__ import annotations

from typing import NamedTuple

from wscli.daemon.outbox import Outbox
from wscli.daemon.registry.manager import Manager
from wscli.gateway.server import Gateway

__all__ = ["App"]


class App(NamedTuple):
    """What a handler is given besides the request."""

    manager: Manager
    outbox: Outbox
    gateway: Gateway
