"""The manager's answers, one verb a file, mirroring the commands."""

from __future__ import annotations

from collections.abc import Mapping

from wscli.daemon.socket.handlers import (
    attach,
    complete,
    consume,
    consumer,
    doctor,
    down,
    logs,
    outbox,
    pause,
    ping,
    reload,
    restart,
    resume,
    send,
    start,
    stats,
    status,
    stop,
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
    "pause": pause.handle,
    "ping": ping.handle,
    "queue": outbox.handle_queue,
    "reload": reload.handle,
    "restart": restart.handle,
    "resume": resume.handle,
    "send": send.handle,
    "start": start.handle,
    "stats": stats.handle,
    "status": status.handle,
    "stop": stop.handle,
    "tail": tail.handle,
    "token": token.handle,
    "wait": wait.handle,
}
