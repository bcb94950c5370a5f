"""``status``: the states, with the reason and the next step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.control.protocol import success
from wscli.daemon.fanout.readers import stream
from wscli.daemon.fanout.sources import Options, Source
from wscli.daemon.socket.handlers.args import flag, names
from wscli.daemon.socket.handlers.hands import statuses

if TYPE_CHECKING:
    from wscli.control.messages import States
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer


async def handle(app: App, args: dict[str, Any], peer: Peer) -> States | None:
    """Give the objects of ``status --json``; with ``watch`` every change follows, as a stream of the same objects."""
    watch = flag(args, "watch")
    source = Source("status", app.manager.changes, app.manager.changes.seek_last(0))
    result: States = {
        "instance": app.manager.plan.name,
        "channels": statuses(app.manager.select(names(args))),
        "problems": app.manager.problems.texts(),
    }
    if not watch:
        return result
    await peer.send_line(success(result))  # the changes are read from before it, so that none is lost between
    await stream(peer.sock, [source], Options(), clock=app.manager.clock)
    return None
