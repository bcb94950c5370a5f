"""``stats``: the counters."""

from __future__ import annotations

from wscli.control.reports import Stats
from wscli.control.requests import ChannelsRequest
from wscli.daemon.socket.app import App
from wscli.daemon.socket.peer import Peer


async def handle(app: App, request: ChannelsRequest, peer: Peer) -> Stats:
    """Return the object of ``stats --json``."""
    return app.manager.stats(request.get("channels", []))
