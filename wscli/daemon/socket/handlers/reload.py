"""``reload``: the manager reads its own file again."""

from __future__ import annotations

from typing import cast

from wscli.control.messages import Reload
from wscli.control.requests import NoArguments
from wscli.daemon.registry.reload import reload_file
from wscli.daemon.socket.app import App
from wscli.daemon.socket.peer import Peer


async def handle(app: App, request: NoArguments, peer: Peer) -> Reload:
    """Return what happened to each channel, by name; an invalid file is an error and changes nothing."""
    return cast("Reload", (await reload_file(app.manager))._asdict())
