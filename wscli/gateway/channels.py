"""A client that asks for a channel: what its URL wishes, which subprotocol it gets, and its session."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from websockets.http11 import Request

from wscli.core.states import SETTLED, ChannelState
from wscli.errors import UnknownChannel, WscliError
from wscli.gateway.handshake import Handshake, response
from wscli.gateway.session import Session, Wishes
from wscli.gateway.wire import Wire
from wscli.history.records import Position

if TYPE_CHECKING:
    from wscli.daemon.channel.channel import Channel
    from wscli.daemon.registry.manager import Manager

__all__ = ["READY_WITHIN", "open_session", "wishes_of"]

READY_WITHIN = 5.0
"""Seconds for the upstream to be ready, where the answer depends on it."""
_OVER = frozenset({ChannelState.FAILED, ChannelState.DONE})


class Refused(Exception):
    """The upgrade is refused with an HTTP status and a text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


async def open_session(
    manager: Manager,
    handshake: Handshake,
    request: Request,
    sock: socket.socket,
    find: Callable[[], Channel],
    *,
    query: Mapping[str, str],
    offered: Sequence[str],
    spare: str | None,
    max_message: int,
) -> Session | None:
    """Let a client in, or answer why not: then None.

    Args:
        manager: what holds the channels.
        handshake: the client, whose request was read and passed the walls.
        request: its request.
        sock: its socket.
        find: gives the channel that it means; raises UnknownChannel.
        query: of its URL.
        offered: the subprotocols that are meant for the upstream.
        spare: the subprotocol to answer with where the upstream has none; None: none.
        max_message: bytes of a message of its at most.

    """
    try:
        channel = find()
        wishes = wishes_of(channel, query)
        subprotocol = await _negotiated(channel, offered, strict=wishes.strict)
    except Refused as refused:
        text = f"{refused.text}\n".encode()
        await handshake.answer(request, response(refused.status, text, "text/plain; charset=utf-8"))
        return None
    except WscliError as error:
        status = 404 if isinstance(error, UnknownChannel) else 503
        text = f"{error.message}\nhint: {error.hint}\n".encode()
        await handshake.answer(request, response(status, text, "text/plain; charset=utf-8"))
        return None
    if not await handshake.accept(request, subprotocol or spare):
        return None
    return Session(manager, channel, sock, Wire(handshake.protocol, max_message), wishes)


def wishes_of(channel: Channel, query: Mapping[str, str]) -> Wishes:
    """Read ``?last=N``, ``?after=CURSOR``, ``?json=1`` and ``?strict=1``.

    Raises:
        Refused: a value is none.

    """
    history = channel.history
    last, after = query.get("last"), query.get("after")
    if last is not None and after is not None:
        raise Refused(400, "'last' and 'after' both say where to begin: give one of them")
    start = history.seek_last(0)
    if last is not None:
        if not (last.isascii() and last.isdecimal() and len(last) <= _DIGITS):
            raise Refused(400, f"last={last[:40]!r} is no count of messages")
        start = history.seek_last(int(last))
    if after is not None:
        try:
            start = history.seek_after(Position.parse(after))
        except ValueError:
            raise Refused(400, f"after={after[:60]!r} is no cursor, such as k3f9:17") from None
    return Wishes(start, _flag(query, "json"), _flag(query, "strict"))


_DIGITS = 15


def _flag(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "0")
    if value not in ("0", "1"):
        raise Refused(400, f"{name}={value[:40]!r} is neither 0 nor 1")
    return value == "1"


async def _negotiated(channel: Channel, offered: Sequence[str], *, strict: bool) -> str | None:
    """Give the upstream's subprotocol, where the client offers it.

    It waits for the upstream where the answer depends on it: the client offers some, or wants no connection without it.
    """
    if channel.state in _OVER:
        raise Refused(502, f"channel {channel.name!r} is {channel.state}: {channel.snapshot.reason.text}")
    if not offered and not strict:
        return None
    with channel.use():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_WITHIN):
                await channel.wait_for(SETTLED | {ChannelState.READY})
        link = channel.link
        if link is None:
            raise Refused(503, f"channel {channel.name!r} is {channel.state}: {channel.snapshot.reason.text}")
        return link.subprotocol if link.subprotocol in offered else None
