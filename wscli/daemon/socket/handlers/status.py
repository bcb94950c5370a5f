"""``status``: the states, with the reason and the next step."""

from __future__ import annotations

from wscli.control.messages import StatusAnswer
from wscli.control.protocol import success
from wscli.control.requests import StatusRequest
from wscli.daemon.fanout.readers import stream
from wscli.daemon.fanout.sources import Options, Source
from wscli.daemon.registry.manager import Manager
from wscli.daemon.socket.peer import Peer


async def handle(manager: Manager, request: StatusRequest, peer: Peer) -> StatusAnswer | None:
    """Return the objects of ``status --json``; with ``watch`` every change follows as one of these objects."""
    source = Source("status", manager.changes, manager.changes.seek_last(0))  # before the answer: no change is missed
    result: StatusAnswer = {
        "instance": manager.plan.name,
        "channels": manager.status(request.get("channels", [])),
        "problems": manager.problems.texts(),
    }
    if not request.get("watch", False):
        return result
    await peer.send_line(success(result))
    await stream(peer.sock, [source], Options(), clock=manager.clock)
    return None
