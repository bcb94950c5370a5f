"""``reload``: the manager reads its own file again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from wscli.daemon.registry.reload import reload_file

if TYPE_CHECKING:
    from wscli.control.messages import Reload
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer


async def handle(app: App, args: dict[str, Any], peer: Peer) -> Reload:
    """Give what happened to each channel, by name; an invalid file is an error, and changes nothing."""
    return cast("Reload", (await reload_file(app.manager))._asdict())
