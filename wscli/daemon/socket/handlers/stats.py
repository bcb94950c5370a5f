"""``stats``: the counters."""

from __future__ import annotations

from wscli.control.reports import Stats
from wscli.control.requests import ChannelsRequest
from wscli.daemon.registry.manager import Manager
from wscli.daemon.socket.peer import Peer


async def handle(manager: Manager, request: ChannelsRequest, peer: Peer) -> Stats:
    """Return the object of ``stats --json``."""
    return manager.stats(request.get("channels", []))
