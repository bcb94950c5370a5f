"""``doctor``: a channel's last attempt, step by step; or a new one beside it."""

from __future__ import annotations

from wscli.control.messages import AttemptReport, Doctor
from wscli.control.requests import DoctorRequest
from wscli.daemon.socket.app import App
from wscli.daemon.socket.peer import Peer
from wscli.daemon.upstream.dial.dialer import AttemptRecord


async def handle(app: App, request: DoctorRequest, peer: Peer) -> Doctor:
    """Return the channel's status and the record of its attempt, None if it was never dialled."""
    channel = app.manager.channel(request["channel"])
    if request.get("dial", False):
        record: AttemptRecord | None = await peer.while_connected(app.manager.dial_once(channel))
    else:
        record = channel.subscription.last_attempt
    attempt = None if record is None else _attempt(record)
    return {"channel": channel.status(), "url": channel.plan.upstream.dial.shown_url, "attempt": attempt}


def _attempt(record: AttemptRecord) -> AttemptReport:
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
