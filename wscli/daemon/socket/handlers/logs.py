"""``logs``: the manager's own log, as a stream of JSON records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.control.protocol import success
from wscli.daemon.fanout.readers import stream
from wscli.daemon.fanout.sources import Options, Source
from wscli.daemon.socket.handlers.args import flag, optional_count

if TYPE_CHECKING:
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer


async def handle(app: App, args: dict[str, Any], peer: Peer) -> None:
    """Send the last ``n`` records, and with ``follow`` those to come."""
    source = Source("log", app.manager.log, app.manager.log.seek_last(optional_count(args, "n") or 0))
    options = Options(follow=flag(args, "follow"))
    await peer.send_line(success({}))
    await stream(peer.sock, [source], options, clock=app.manager.clock)
