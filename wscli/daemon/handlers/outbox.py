"""``queue`` and ``outbox``: messages that wait on the disk until their channel is ready.

``queue`` takes blocks as ``send`` does; each is answered by ``{"queued": N, "known": M}`` once it is on the disk, all
of it or nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.control.protocol import ProtocolError, failure, success
from wscli.daemon.handlers.args import flag, names, number, optional_count, text
from wscli.daemon.handlers.send import check_text, next_block, size_of, split
from wscli.errors import WscliError

if TYPE_CHECKING:
    from wscli.daemon.manager import Manager
    from wscli.daemon.outbox import Outbox
    from wscli.daemon.peer import Peer

__all__ = ["handle", "queue"]


async def queue(manager: Manager, args: dict[str, Any], peer: Peer) -> None:
    """Accept block after block."""
    channel, outbox = manager.channel(text(args, "channel")).name, _outbox(manager)
    binary = flag(args, "binary")
    ttl = None if args.get("ttl") is None else number(args, "ttl", 0.0)
    key = None if args.get("key") is None else text(args, "key")
    block: dict[str, Any] | None = args
    if "bytes" not in args:
        await peer.send_line(success({"queued": 0, "known": 0}))
        block = await next_block(peer)
    while block is not None:
        messages = split(await peer.read_exactly(size_of(block)), block.get("framing", "whole"))
        try:
            if key is not None and len(messages) != 1:
                raise ProtocolError("a key goes with one message")
            for message in messages if not binary else ():
                check_text(message)
            new = await outbox.queue(channel, messages, binary=binary, ttl=ttl, key=key)
        except WscliError as error:
            await peer.send_line(failure(error))
            return
        await peer.send_line(success({"queued": new, "known": len(messages) - new}))
        block = await next_block(peer)


async def handle(manager: Manager, args: dict[str, Any], peer: Peer) -> dict[str, Any]:
    """Do the action: ``ls``, ``rm`` or ``flush``; the deadline of a flush is the client's, which hangs up at it."""
    action, outbox = text(args, "action"), _outbox(manager)
    if action == "ls":
        return {"messages": await outbox.list(names(args))}
    if action == "rm":
        return {"removed": await _remove(outbox, args)}
    if action == "flush":
        await peer.while_connected(outbox.flush())
        return {}
    raise ProtocolError(f"no such action {action[:40]!r}", "an action is one of ls, rm, flush")


async def _remove(outbox: Outbox, args: dict[str, Any]) -> int:
    if args.get("channel") is not None:
        return await outbox.remove(channel=text(args, "channel"))
    if flag(args, "expired"):
        return await outbox.remove(expired=True)
    ids = args.get("ids")
    if not isinstance(ids, list) or not ids:
        raise ProtocolError("argument 'ids' is no list of numbers")
    return await outbox.remove(numbers=[optional_count({"ids": one}, "ids") or 0 for one in ids])


def _outbox(manager: Manager) -> Outbox:
    if manager.outbox is None:
        raise WscliError("this manager has no outbox", "`wscli up` starts one that has")
    return manager.outbox
