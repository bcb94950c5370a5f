"""The parts of the manager's process that the handlers of requests work on."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from wscli.control.messages import QueueOutcome, QueueReceipt
from wscli.daemon.channel.channel import Channel
from wscli.daemon.registry.manager import Manager

__all__ = ["App", "AttachService", "OutboxService", "OutboxWaiter"]


class AttachService(Protocol):
    """The gateway, as far as the control socket uses it."""

    async def attach(self, sock: socket.socket, channel: Channel) -> None:
        """Serve a channel to a WebSocket client whose upgrade request comes next on this socket."""


class OutboxWaiter(Protocol):
    """The outcomes of queued messages that one client waits for."""

    async def news(self) -> Sequence[QueueOutcome]:
        """Wait for outcomes; an empty list when none is left to wait for."""


class OutboxService(Protocol):
    """The outbox, as far as the control socket uses it."""

    async def queue(
        self,
        channel: str,
        payloads: Sequence[bytes],
        *,
        binary: bool,
        ttl: float | None,
        key: str | None,
        waiter: Any = None,
    ) -> QueueReceipt:
        """Accept messages; ``waiter`` is one that ``waiting`` gave."""

    def waiting(self) -> AbstractContextManager[OutboxWaiter]:
        """Give a waiter for ``queue``."""

    async def list(self, channels: Sequence[str]) -> list[dict[str, Any]]:
        """Give the rows of ``outbox ls``."""

    async def remove(self, numbers: Sequence[int]) -> int:
        """Remove messages by number, and give how many."""

    async def remove_expired(self) -> int:
        """Remove expired messages, and give how many."""

    async def remove_channel(self, channel: str) -> int:
        """Remove a channel's messages, and give how many."""

    async def flush(self) -> None:
        """Return once nothing is queued."""


class App(NamedTuple):
    """What a handler is given besides the request."""

    manager: Manager
    outbox: OutboxService
    gateway: AttachService
