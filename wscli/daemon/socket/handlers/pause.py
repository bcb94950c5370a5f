"""``pause``: hold channels without giving up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.control.protocol import ProtocolError
from wscli.daemon.socket.handlers.args import flag, names
from wscli.daemon.socket.handlers.hands import each

if TYPE_CHECKING:
    from wscli.control.messages import ByHand
    from wscli.daemon.channel.channel import Channel
    from wscli.daemon.registry.manager import Manager
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer

__all__ = ["chosen", "handle"]


def chosen(manager: Manager, args: dict[str, Any]) -> list[Channel]:
    """Give the named channels, all that are not critical, or all."""
    wanted, noncritical = names(args), flag(args, "noncritical")
    if wanted and noncritical:
        raise ProtocolError("'channels' and 'noncritical' exclude each other")
    return manager.noncritical() if noncritical else manager.select(wanted)


async def handle(app: App, args: dict[str, Any], peer: Peer) -> ByHand:
    """Pause them; one that was stopped or failed stays as it is."""
    return each(chosen(app.manager, args), lambda channel: channel.pause())
