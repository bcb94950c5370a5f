"""``queue`` and ``outbox``: messages that wait on the disk until their channel is ready.

``queue`` takes blocks as ``send`` does; each is answered by ``control.messages.QueueReceipt`` once the whole block is
on the disk, or by an error and none of it is. After the last block, ``{"outcomes": true}`` asks for the outcomes, if
the request had ``watch``: answers are ``{"outcomes": [...]}``, until all are known. The client enforces its deadline by
hanging up.
"""

from __future__ import annotations

import functools
from typing import cast

from wscli.control.messages import OutboxAnswer, OutboxMessage, QueueReceipt
from wscli.control.protocol import ProtocolError, success
from wscli.control.requests import OutboxFlush, OutboxList, OutboxRemove, QueueRequest
from wscli.daemon.channel.sending import check_text
from wscli.daemon.outbox import Outbox
from wscli.daemon.socket.handlers.send import first_block, next_block, read_messages
from wscli.daemon.socket.peer import Peer
from wscli.daemon.socket.server import App

__all__ = ["handle_outbox", "handle_queue"]


async def handle_queue(app: App, request: QueueRequest, peer: Peer) -> None:
    """Accept block after block."""
    channel, outbox = app.manager.channel(request["channel"]).name, app.outbox
    key = request.get("key")
    block = await first_block("queue", request, peer, QueueReceipt(queued=0, known=0, first=0, state="queued"))
    with outbox.waiting() as waiter:
        binary, told = request.get("binary", False), waiter if request.get("watch", False) else None
        queue = functools.partial(outbox.queue, channel, binary=binary, ttl=request.get("ttl"), key=key, waiter=told)
        while block is not None and "bytes" in block:
            messages = await read_messages(block, peer)
            if key is not None and len(messages) != 1:
                raise ProtocolError("a key goes with one message", "send each message with a key of its own")
            for message in () if binary else messages:
                check_text(message)
            await peer.send_line(success(await queue(messages)))
            block = await next_block("queue", peer)
        if block is not None:
            while outcomes := await peer.while_connected(waiter.news()):
                await peer.send_line(success({"outcomes": outcomes}))


async def handle_outbox(app: App, request: OutboxList | OutboxRemove | OutboxFlush, peer: Peer) -> OutboxAnswer:
    """Carry out the action: ``ls``, ``rm`` or ``flush``; the client enforces its deadline by hanging up."""
    outbox = app.outbox
    if request["action"] == "ls":
        return {"messages": cast("list[OutboxMessage]", await outbox.list(request.get("channels", [])))}
    if request["action"] == "rm":
        return {"removed": await _remove(outbox, request)}
    await peer.while_connected(outbox.flush())
    return {}


async def _remove(outbox: Outbox, request: OutboxRemove) -> int:
    channel = request.get("channel")
    if channel is not None:
        return await outbox.remove_channel(channel)
    if request.get("expired", False):
        return await outbox.remove_expired()
    ids = request.get("ids")
    if not ids:
        raise ProtocolError("argument 'ids' must have at least one number", "`wscli outbox ls` lists the messages")
    return await outbox.remove(ids)
