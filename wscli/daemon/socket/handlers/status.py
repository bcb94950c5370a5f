"""``status``: the states, with the reason and the next step."""

from __future__ import annotations

from wscli.control.messages import StatusAnswer
from wscli.control.protocol import success
from wscli.control.requests import StatusRequest
from wscli.daemon.fanout.readers import stream
from wscli.daemon.fanout.sources import HistorySource, Options
from wscli.daemon.socket.app import App
from wscli.daemon.socket.peer import Peer


async def handle(app: App, request: StatusRequest, peer: Peer) -> StatusAnswer | None:
    """Return the objects of ``status --json``; with ``watch`` every change follows as one of these objects."""
    changes = app.manager.changes
    source = HistorySource("status", changes, changes.seek_last(0))  # before the answer: no change is missed
    result: StatusAnswer = {
        "instance": app.manager.plan.name,
        "channels": app.manager.status(request.get("channels", [])),
        "problems": app.manager.problems.texts(),
    }
    if not request.get("watch", False):
        return result
    await peer.send_line(success(result))
    await stream(peer.sock, [source], Options(), clock=app.manager.clock)
    return None
