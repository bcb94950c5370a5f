"""The handlers of the control socket, one verb a file, mirroring the commands."""

from __future__ import annotations

from collections.abc import Mapping

from wscli.daemon.socket.handlers import (
    attach,
    by_hand,
    complete,
    consume,
    consumer,
    doctor,
    down,
    logs,
    outbox,
    ping,
    reload,
    send,
    stats,
    status,
    tail,
    token,
    wait,
)
from wscli.daemon.socket.server import Handler

__all__ = ["HANDLERS"]

HANDLERS: Mapping[str, Handler] = {
    "attach": attach.handle,
    "complete": complete.handle,
    "consume": consume.handle,
    "consumer": consumer.handle,
    "doctor": doctor.handle,
    "down": down.handle,
    "logs": logs.handle,
    "outbox": outbox.handle_outbox,
    "pause": by_hand.pause,
    "ping": ping.handle,
    "queue": outbox.handle_queue,
    "reload": reload.handle,
    "restart": by_hand.restart,
    "resume": by_hand.resume,
    "send": send.handle,
    "start": by_hand.start,
    "stats": stats.handle,
    "status": status.handle,
    "stop": by_hand.stop,
    "tail": tail.handle,
    "token": token.handle,
    "wait": wait.handle,
}
