"""Serving a channel to a client: the options in its URL, its subprotocol, and its session."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from websockets.http11 import Request

from wscli.core.states import SETTLED, ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.registry.manager import Manager
from wscli.errors import UnknownChannel, WscliError
from wscli.gateway.clients.shared import SessionOptions, SharedSession
from wscli.gateway.handshake import Handshake, response
from wscli.history.records import Position

__all__ = ["READY_WITHIN", "read_options", "serve_channel"]

READY_WITHIN = 5.0
"""Seconds to wait for the upstream where the answer depends on it."""
_OVER = frozenset({ChannelState.FAILED, ChannelState.DONE})
_DIGITS = 15


class Refused(Exception):
    """The upgrade is refused with this HTTP status and text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


async def serve_channel(
    manager: Manager,
    handshake: Handshake,
    request: Request,
    find: Callable[[], Channel],
    *,
    offered: Sequence[str],
    spare: str | None = None,
    query: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Accept a client's upgrade and serve it until its session ends, or refuse it.

    Args:
        handshake: the client, whose request was read and let in.
        request: its request.
        find: gives the requested channel; raises UnknownChannel.
        offered: its subprotocols for the upstream.
        spare: the subprotocol to answer with where the upstream has none.
        query: of its URL.
    """
    try:
        channel = find()
        options = read_options(channel, query)
        subprotocol = await _negotiated(channel, offered, strict=options.strict)
    except Refused as refused:
        await handshake.answer(request, response(refused.status, f"{refused.text}\n".encode()))
    except WscliError as error:
        status = 404 if isinstance(error, UnknownChannel) else 503
        await handshake.answer(request, response(status, f"{error.message}\nhint: {error.hint}\n".encode()))
    else:
        if await handshake.accept(request, subprotocol or spare):
            await SharedSession(manager, channel, handshake, options).run()


def read_options(channel: Channel, query: Mapping[str, str]) -> SessionOptions:
    """Read ``?last=N``, ``?after=CURSOR``, ``?json=1`` and ``?strict=1``.

    Raises:
        Refused: a value is invalid.
    """
    history = channel.history
    last, after = query.get("last"), query.get("after")
    if last is not None and after is not None:
        raise Refused(400, "'last' and 'after' exclude each other: give one of them")
    start = history.seek_last(0)
    if last is not None:
        if not (last.isascii() and last.isdecimal() and len(last) <= _DIGITS):
            raise Refused(400, f"invalid last: {last[:40]!r}; last must be a number of messages")
        start = history.seek_last(int(last))
    if after is not None:
        try:
            start = history.seek_after(Position.parse(after))
        except ValueError:
            raise Refused(400, f"invalid after: {after[:60]!r}; after must be a cursor such as k3f9:17") from None
    return SessionOptions(start, _flag(query, "json"), _flag(query, "strict"))


def _flag(query: Mapping[str, str], name: str) -> bool:
    value = query.get(name, "0")
    if value not in ("0", "1"):
        raise Refused(400, f"invalid {name}: {value[:40]!r}; {name} must be 0 or 1")
    return value == "1"


async def _negotiated(channel: Channel, offered: Sequence[str], *, strict: bool) -> str | None:
    """Give the upstream's subprotocol where the client offers it.

    Waits for the upstream where the client offers any, or is strict.
    """
    if channel.state in _OVER:
        raise Refused(502, f"channel {channel.name!r} is {channel.state}: {channel.snapshot.reason.text}")
    if not offered and not strict:
        return None
    with channel.use():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_WITHIN):
                await channel.wait_for(SETTLED | {ChannelState.READY})
        if (connection := channel.connection) is None:
            raise Refused(503, f"channel {channel.name!r} is {channel.state}: {channel.snapshot.reason.text}")
        return connection.subprotocol if connection.subprotocol in offered else None
