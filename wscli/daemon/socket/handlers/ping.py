"""``ping``: which instance this is; what ``wscli ls`` shows."""

from __future__ import annotations

import os

from wscli.control.messages import Ping
from wscli.control.requests import NoArguments
from wscli.daemon.registry.manager import Manager
from wscli.daemon.socket.peer import Peer
from wscli.version import __version__


async def handle(manager: Manager, request: NoArguments, peer: Peer) -> Ping:
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
