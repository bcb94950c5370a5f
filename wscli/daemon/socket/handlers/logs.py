"""``logs``: the manager's own log, as a stream of JSON records."""

from __future__ import annotations

from wscli.control.protocol import success
from wscli.control.requests import LogsRequest
from wscli.daemon.fanout.readers import stream
from wscli.daemon.fanout.sources import HistorySource, Options
from wscli.daemon.socket.app import App
from wscli.daemon.socket.peer import Peer


async def handle(app: App, request: LogsRequest, peer: Peer) -> None:
    """Send the last ``n`` records, and with ``follow`` the next ones."""
    source = HistorySource("log", app.manager.log, app.manager.log.seek_last(request.get("n", 0)))
    await peer.send_line(success({}))
    await stream(peer.sock, [source], Options(follow=request.get("follow", False)), clock=app.manager.clock)
