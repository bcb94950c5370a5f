"""``resume``: end a pause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.daemon.socket.handlers.hands import each
from wscli.daemon.socket.handlers.pause import chosen

if TYPE_CHECKING:
    from wscli.control.messages import ByHand
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer


async def handle(app: App, args: dict[str, Any], peer: Peer) -> ByHand:
    """Resume those of them that are paused."""
    return each([one for one in chosen(app.manager, args) if one.state == "paused"], lambda channel: channel.resume())
