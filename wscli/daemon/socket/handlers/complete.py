"""``complete``: the names that a shell may complete, templates included."""

from __future__ import annotations

from wscli.control.messages import Complete
from wscli.control.requests import NoArguments
from wscli.daemon.socket.app import App
from wscli.daemon.socket.peer import Peer


async def handle(app: App, request: NoArguments, peer: Peer) -> Complete:
    """Return declared channels, open instances, templates up to their first placeholder, and token sources."""
    names = [channel.name for channel in app.manager.channels()]
    prefixes = [name.partition("{")[0] for name, declared in app.manager.plan.channels.items() if declared.params]
    return {"channels": list(dict.fromkeys([*names, *prefixes])), "tokens": list(app.manager.plan.tokens)}
