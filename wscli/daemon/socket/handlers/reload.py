"""``reload``: the manager reads its own file again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from wscli.daemon.registry.reload import reload

if TYPE_CHECKING:
    from wscli.control.messages import Reload
    from wscli.daemon.registry.manager import Manager
    from wscli.daemon.socket.peer import Peer


async def handle(manager: Manager, args: dict[str, Any], peer: Peer) -> Reload:
    """Give what happened to each channel, by name; an invalid file is an error, and changes nothing."""
    return cast("Reload", (await reload(manager))._asdict())
