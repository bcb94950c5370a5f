"""``start``: open channels by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.daemon.socket.handlers.args import names
from wscli.daemon.socket.handlers.hands import each

if TYPE_CHECKING:
    from wscli.control.messages import ByHand
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer


async def handle(app: App, args: dict[str, Any], peer: Peer) -> ByHand:
    """Start the named channels; an instance of a template is made."""
    channels = [app.manager.channel(name) for name in names(args, required=True)]
    return each(channels, lambda channel: channel.start())
