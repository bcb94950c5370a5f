"""``reload``: the manager reads its own file again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.daemon.reload import reload

if TYPE_CHECKING:
    from wscli.daemon.manager import Manager
    from wscli.daemon.peer import Peer


async def handle(manager: Manager, args: dict[str, Any], peer: Peer) -> dict[str, Any]:
    """Give what happened to each channel, by name; an invalid file is an error, and changes nothing."""
    return (await reload(manager))._asdict()
