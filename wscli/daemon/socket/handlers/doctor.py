"""``doctor``: a channel's last attempt, step by step; or a new one beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.daemon.socket.handlers.args import flag, text
from wscli.daemon.socket.handlers.hands import statuses

if TYPE_CHECKING:
    from wscli.control.messages import Attempt, Doctor
    from wscli.daemon.socket.app import App
    from wscli.daemon.socket.peer import Peer
    from wscli.daemon.upstream.dial.dialer import AttemptRecord


async def handle(app: App, args: dict[str, Any], peer: Peer) -> Doctor:
    """Give the channel's status and the record of the attempt, None where it was never dialled."""
    channel = app.manager.channel(text(args, "channel"))
    if flag(args, "dial"):
        record: AttemptRecord | None = await peer.while_connected(app.manager.dial_once(channel))
    else:
        record = channel.subscription.last_attempt
    [status] = statuses([channel])
    attempt = None if record is None else _facts(record)
    return {"channel": status, "url": channel.plan.upstream.dial.shown_url, "attempt": attempt}


def _facts(record: AttemptRecord) -> Attempt:
    timeline, failure = record.timeline, record.failure
    return {
        "started": record.started,
        "peer": timeline.peer,
        "tokens": sorted(record.tokens),
        "steps": [
            {"name": step.name, "seconds": round(step.seconds, 6), "detail": step.detail, "ok": step.ok}
            for step in timeline.steps
        ],
        "failure": None if failure is None else {"kind": str(failure.kind), "code": failure.code, "text": failure.text},
    }
