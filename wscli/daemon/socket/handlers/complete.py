"""``complete``: the names that a shell may complete, templates included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wscli.control.messages import Complete
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer


async def handle(app: App, args: dict[str, Any], peer: Peer) -> Complete:
    """Give declared channels and open instances; a template up to its first placeholder; and the token sources."""
    names = [channel.name for channel in app.manager.channels()]
    beginnings = [name.partition("{")[0] for name, declared in app.manager.plan.channels.items() if declared.params]
    return {"channels": list(dict.fromkeys([*names, *beginnings])), "tokens": list(app.manager.plan.tokens)}
