"""``stats``: the counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.daemon.handlers.args import names

if TYPE_CHECKING:
    from wscli.daemon.manager import Manager
    from wscli.daemon.peer import Peer


async def handle(manager: Manager, args: dict[str, Any], peer: Peer) -> dict[str, Any]:
    """Give the object of ``stats --json``."""
    return manager.stats(names(args))
