"""``ping``: who is here; what ``wscli ls`` shows of an instance."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from wscli import __version__

if TYPE_CHECKING:
    from wscli.control.messages import Ping
    from wscli.daemon.registry.manager import Manager
    from wscli.daemon.socket.peer import Peer


async def handle(manager: Manager, args: dict[str, Any], peer: Peer) -> Ping:
    """Describe the instance."""
    states = [channel.state for channel in manager.channels()]
    return {
        "version": __version__,
        "instance": manager.plan.name,
        "pid": os.getpid(),
        "file": str(manager.plan.file),
        "uptime_s": round(manager.clock.monotonic() - manager.started, 3),
        "channels": len(states),
        "ready": sum(state == "ready" for state in states),
    }
