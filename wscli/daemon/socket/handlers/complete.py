"""``complete``: the names that a shell may complete, templates included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wscli.control.messages import Complete
    from wscli.daemon.registry.manager import Manager
    from wscli.daemon.socket.peer import Peer


async def handle(manager: Manager, args: dict[str, Any], peer: Peer) -> Complete:
    """Give declared channels and open instances; a template up to its first placeholder; and the token sources."""
    names = [channel.name for channel in manager.channels()]
    beginnings = [name.partition("{")[0] for name, declared in manager.plan.channels.items() if declared.params]
    return {"channels": list(dict.fromkeys([*names, *beginnings])), "tokens": list(manager.plan.tokens)}
