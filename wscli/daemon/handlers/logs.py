"""``logs``: the manager's own log, as a stream of JSON records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.control.protocol import success
from wscli.daemon.handlers.args import flag, optional_count
from wscli.daemon.readers import stream
from wscli.daemon.sources import Options, Source

if TYPE_CHECKING:
    from wscli.daemon.manager import Manager
    from wscli.daemon.peer import Peer


async def handle(manager: Manager, args: dict[str, Any], peer: Peer) -> None:
    """Send the last ``n`` records, and with ``follow`` those to come."""
    source = Source("log", manager.log, manager.log.seek_last(optional_count(args, "n") or 0))
    options = Options(follow=flag(args, "follow"))
    await peer.send_line(success({}))
    await stream(peer.sock, [source], options, clock=manager.clock)
