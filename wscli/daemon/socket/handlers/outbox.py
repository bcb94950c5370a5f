"""``queue`` and ``outbox``: messages that wait on the disk until their channel is ready.

``queue`` takes blocks as ``send`` does; each is answered by ``control.messages.Queued`` once it is on the disk, all of
it or nothing. After the last, ``{"await": true}`` asks what becomes of them, where the arguments had ``watch``: answers
are ``{"fates": [...]}``, each with some more, until all are known. The deadline is the client's, which hangs up at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wscli.control.protocol import ProtocolError, failure, success
from wscli.daemon.socket.handlers.args import flag, names, number, optional_count, text
from wscli.daemon.socket.handlers.send import check_text, next_block, size_of, split
from wscli.errors import WscliError

if TYPE_CHECKING:
    from wscli.control.messages import Queued, Told
    from wscli.daemon.outbox import Outbox
    from wscli.daemon.outbox.watches import Watch
    from wscli.daemon.registry.manager import Manager
    from wscli.daemon.socket.peer import Peer
    from wscli.outbox.store import Added

__all__ = ["MOST_KEY", "handle", "queue"]

MOST_KEY = 1024
"""Bytes of a key: an instance remembers a hundred thousand."""


async def queue(manager: Manager, args: dict[str, Any], peer: Peer) -> None:
    """Accept block after block."""
    channel, outbox = manager.channel(text(args, "channel")).name, _outbox(manager)
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
    with outbox.watching() as watch:
        options["watch"] = watch if watched else None
        while block is not None and not flag(block, "await"):
            messages = split(await peer.read_exactly(size_of(block)), block.get("framing", "whole"))
            try:
                added = await _accept(outbox, channel, messages, options)
            except WscliError as error:
                await peer.send_line(failure(error))
                return
            known = len(messages) - added.new
            answer: Queued = {"queued": added.new, "known": known, "first": added.first, "state": added.state}
            await peer.send_line(success(answer))
            block = await next_block(peer)
        if block is not None:
            await _tell(watch, peer)


def _key(args: dict[str, Any]) -> str | None:
    if args.get("key") is None:
        return None
    key = _clean_text(args, "key")
    if len(key.encode()) > MOST_KEY:
        raise ProtocolError(
            f"the key {key[:40]!r} is over {MOST_KEY} bytes", "a digest of it names the message as well"
        )
    return key


def _clean_text(args: dict[str, Any], name: str) -> str:
    """Give a text that can be kept: an argument of a command line may hold bytes that are none."""
    value = text(args, name)
    if not value.isascii() and any("\ud800" <= one <= "\udfff" for one in value):
        raise ProtocolError(f"argument {name!r} is not UTF-8: {value[:40]!r}", "give text in UTF-8")
    return value


async def _accept(outbox: Outbox, channel: str, messages: list[bytes], options: dict[str, Any]) -> Added:
    if options["key"] is not None and len(messages) != 1:
        raise ProtocolError("a key goes with one message")
    for message in messages if not options["binary"] else ():
        check_text(message)
    return await outbox.queue(channel, messages, **options)


async def _tell(watch: Watch, peer: Peer) -> None:
    while fates := await peer.while_connected(watch.news()):
        told: list[Told] = [{"id": one.id, "outcome": one.outcome, "reason": one.reason} for one in fates]
        await peer.send_line(success({"fates": told}))


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
        return await outbox.remove_channel(_clean_text(args, "channel"))
    if flag(args, "expired"):
        return await outbox.remove_expired()
    ids = args.get("ids")
    if not isinstance(ids, list) or not ids:
        raise ProtocolError("argument 'ids' is no list of numbers")
    return await outbox.remove([optional_count({"ids": one}, "ids") or 0 for one in ids])


def _outbox(manager: Manager) -> Outbox:
    if manager.outbox is None:
        raise WscliError("this manager has no outbox", "`wscli up` starts one that has")
    return manager.outbox
