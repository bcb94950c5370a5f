"""``ping``: who is here; what ``wscli ls`` shows of an instance."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from wscli import __version__

if TYPE_CHECKING:
    from wscli.control.messages import Ping
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer


async def handle(app: App, args: dict[str, Any], peer: Peer) -> Ping:
    """Describe the instance."""
    states = [channel.state for channel in app.manager.channels()]
    return {
        "version": __version__,
        "instance": app.manager.plan.name,
        "pid": os.getpid(),
        "file": str(app.manager.plan.file),
        "uptime_s": round(app.manager.clock.monotonic() - app.manager.started, 3),
        "channels": len(states),
        "ready": sum(state == "ready" for state in states),
    }
