"""``down``: stop the manager. The client sees that it stopped by taking its lock."""

from __future__ import annotations

import os

from wscli.control.messages import Down
from wscli.control.protocol import success
from wscli.control.requests import NoArguments
from wscli.daemon.socket.app import App
from wscli.daemon.socket.peer import Peer


async def handle(app: App, request: NoArguments, peer: Peer) -> None:
    """Answer before stopping, which ends this connection; a client that has hung up already is obeyed too."""
    answer: Down = {"pid": os.getpid()}
    try:
        await peer.send_line(success(answer))
    finally:
        app.manager.stopping.set()
