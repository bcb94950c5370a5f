"""The handlers of the control socket, by verb; those of one file belong together, as the commands do."""

from __future__ import annotations

from collections.abc import Mapping

from wscli.daemon.socket.handlers import attach, by_hand, consumer, outbox, reports, send, tail, token, wait
from wscli.daemon.socket.server import Handler

__all__ = ["HANDLERS"]

HANDLERS: Mapping[str, Handler] = {
    "attach": attach.handle_attach,
    "complete": reports.complete,
    "consume": consumer.consume,
    "consumer": consumer.consumer,
    "doctor": reports.doctor,
    "down": by_hand.down,
    "logs": reports.logs,
    "outbox": outbox.handle_outbox,
    "pause": by_hand.pause,
    "ping": reports.ping,
    "queue": outbox.handle_queue,
    "reload": by_hand.reload,
    "restart": by_hand.restart,
    "resubscribe": by_hand.resubscribe,
    "resume": by_hand.resume,
    "rotate": by_hand.rotate,
    "send": send.handle_send,
    "start": by_hand.start,
    "stats": reports.stats,
    "status": reports.status,
    "stop": by_hand.stop,
    "tail": tail.handle_tail,
    "token": token.handle_token,
    "wait": wait.handle_wait,
}
"""Each takes a request of the types that it is annotated with, and no other."""
