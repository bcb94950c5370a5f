"""``queue`` and ``outbox``: messages that wait on the disk until their channel is ready.

``queue`` takes blocks as ``send`` does; each is answered by ``control.messages.QueueReceipt`` once the whole block is
on the disk. With ``watch`` among the arguments, ``{"await": true}`` after the last block asks for the outcomes: answers
are ``{"outcomes": [...]}``, until all are known. The client has the deadline, and hangs up at it.
"""

from __future__ import annotations

from typing import Any

from wscli.control.messages import QueueReceipt
from wscli.control.protocol import ProtocolError, failure, success
from wscli.daemon.socket.app import App, OutboxService, OutboxWaiter
from wscli.daemon.socket.handlers.args import flag, names, number, optional_count, text
from wscli.daemon.socket.handlers.send import check_text, next_block, size_of, split
from wscli.daemon.socket.peer import Peer
from wscli.errors import WscliError

__all__ = ["MAX_KEY_BYTES", "handle_outbox", "handle_queue"]

MAX_KEY_BYTES = 1024
"""Bytes of a key; an instance remembers a hundred thousand keys."""


async def handle_queue(app: App, args: dict[str, Any], peer: Peer) -> None:
    """Accept block after block."""
    channel, outbox = app.manager.channel(text(args, "channel")).name, app.outbox
    watched = flag(args, "watch")
    options: dict[str, Any] = {
        "binary": flag(args, "binary"),
        "ttl": None if args.get("ttl") is None else number(args, "ttl", 0.0),
        "key": _key(args),
    }
    block: dict[str, Any] | None = args
    if "bytes" not in args:
        await peer.send_line(success({"queued": 0, "known": 0, "first": 0, "state": "queued"}))
        block = await next_block(peer)
    with outbox.waiting() as waiter:
        options["waiter"] = waiter if watched else None
        while block is not None and not flag(block, "await"):
            messages = split(await peer.read_exactly(size_of(block)), block.get("framing", "whole"))
            try:
                receipt = await _accept(outbox, channel, messages, options)
            except WscliError as error:
                await peer.send_line(failure(error))
                return
            await peer.send_line(success(receipt))
            block = await next_block(peer)
        if block is not None:
            await _tell(waiter, peer)


def _key(args: dict[str, Any]) -> str | None:
    if args.get("key") is None:
        return None
    key = _clean_text(args, "key")
    if len(key.encode()) > MAX_KEY_BYTES:
        raise ProtocolError(
            f"the key {key[:40]!r} is over {MAX_KEY_BYTES} bytes", "a digest of it names the message as well"
        )
    return key


def _clean_text(args: dict[str, Any], name: str) -> str:
    """Return a text argument that is valid UTF-8: a command line may hold other bytes."""
    value = text(args, name)
    if not value.isascii() and any("\ud800" <= one <= "\udfff" for one in value):
        raise ProtocolError(f"argument {name!r} is not UTF-8: {value[:40]!r}", "give text in UTF-8")
    return value


async def _accept(outbox: OutboxService, channel: str, messages: list[bytes], options: dict[str, Any]) -> QueueReceipt:
    if options["key"] is not None and len(messages) != 1:
        raise ProtocolError("a key goes with one message")
    for message in messages if not options["binary"] else ():
        check_text(message)
    return await outbox.queue(channel, messages, **options)


async def _tell(waiter: OutboxWaiter, peer: Peer) -> None:
    while outcomes := await peer.while_connected(waiter.news()):
        await peer.send_line(success({"outcomes": outcomes}))


async def handle_outbox(app: App, args: dict[str, Any], peer: Peer) -> dict[str, Any]:
    """Do the action: ``ls``, ``rm`` or ``flush``; a client with a deadline hangs up at it."""
    action, outbox = text(args, "action"), app.outbox
    if action == "ls":
        return {"messages": await outbox.list(names(args))}
    if action == "rm":
        return {"removed": await _remove(outbox, args)}
    if action == "flush":
        await peer.while_connected(outbox.flush())
        return {}
    raise ProtocolError(f"unknown action: {action[:40]!r}", "an action is one of ls, rm, flush")


async def _remove(outbox: OutboxService, args: dict[str, Any]) -> int:
    if args.get("channel") is not None:
        return await outbox.remove_channel(_clean_text(args, "channel"))
    if flag(args, "expired"):
        return await outbox.remove_expired()
    ids = args.get("ids")
    if not isinstance(ids, list) or not ids:
        raise ProtocolError("argument 'ids' must be a list of numbers")
    return await outbox.remove([optional_count({"ids": one}, "ids") or 0 for one in ids])
