"""``ping``: which instance this is; what ``wscli ls`` shows."""

from __future__ import annotations

import os

from wscli.control.messages import Ping
from wscli.control.requests import NoArguments
from wscli.daemon.socket.app import App
from wscli.daemon.socket.peer import Peer
from wscli.version import __version__


async def handle(app: App, request: NoArguments, peer: Peer) -> Ping:
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
