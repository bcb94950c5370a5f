"""``stats``: the counters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from wscli.daemon.socket.handlers.args import names

if TYPE_CHECKING:
    from wscli.control.messages import Stats
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer


async def handle(app: App, args: dict[str, Any], peer: Peer) -> Stats:
    """Give the object of ``stats --json``."""
    return cast("Stats", app.manager.stats(names(args)))
