"""``stop``: close channels by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.daemon.socket.handlers.args import names
from wscli.daemon.socket.handlers.hands import each

if TYPE_CHECKING:
    from wscli.control.messages import ByHand
    from wscli.daemon.registry.manager import Manager
    from wscli.daemon.socket.peer import Peer


async def handle(manager: Manager, args: dict[str, Any], peer: Peer) -> ByHand:
    """Stop the named channels."""
    return each(manager.select(names(args, required=True)), lambda channel: channel.stop())
