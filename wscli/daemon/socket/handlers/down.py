"""``down``: the manager is to go. The client learns that it went when it gets the lock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from wscli.control.protocol import success

if TYPE_CHECKING:
    from wscli.control.messages import Down
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer


async def handle(app: App, args: dict[str, Any], peer: Peer) -> None:
    """Answer first: once the manager stops, nobody answers any more; who has hung up by then is obeyed as well."""
    going: Down = {"pid": os.getpid()}
    try:
        await peer.send_line(success(going))
    finally:
        app.manager.stopping.set()
