"""``status``: the states, with the reason and the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.daemon.handlers.args import names

if TYPE_CHECKING:
    from wscli.daemon.manager import Manager
    from wscli.daemon.peer import Peer


async def handle(manager: Manager, args: dict[str, Any], peer: Peer) -> dict[str, Any] | None:
    """Give the objects of ``status --json``."""
    return {"instance": manager.plan.name, "channels": manager.status(names(args))}
