"""Serving a channel to a client: the options in its URL, its subprotocol, and its session."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from websockets.http11 import Request

from wscli.daemon.channel.channel import Channel
from wscli.daemon.registry.manager import Manager
from wscli.errors import UnknownChannel, WscliError
from wscli.gateway.clients.shared import SessionOptions, SharedSession
from wscli.gateway.handshake import Handshake, response
from wscli.gateway.upgrade.negotiation import negotiate
from wscli.gateway.upgrade.refusals import UpgradeRefused
from wscli.history.records import Position
from wscli.net.subprotocols import is_stateful

__all__ = ["read_options", "serve_channel"]

_DIGITS = 15


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
        clients = channel.plan.clients
        strict = clients.strict if options.strict is None else options.strict
        subprotocol = await negotiate(channel, offered, strict=bool(strict), clock=manager.clock)
    except UpgradeRefused as refused:
        await handshake.answer(request, refused.answer)
    except WscliError as error:
        status = 404 if isinstance(error, UnknownChannel) else 503
        await handshake.answer(request, response(status, f"{error.message}\nhint: {error.hint}\n".encode()))
    else:
        if options.strict is None:
            options = options._replace(strict=clients.is_strict(subprotocol))
        if subprotocol is not None and not clients.session:
            options = options._replace(stateful=is_stateful(subprotocol))
        if await handshake.accept(request, subprotocol or spare):
            await SharedSession(manager, channel, handshake, options).run()


def read_options(channel: Channel, query: Mapping[str, str]) -> SessionOptions:
    """Read ``?last=N``, ``?after=CURSOR``, ``?json=1`` and ``?strict=1``.

    Raises:
        UpgradeRefused: a value is invalid.
    """
    history = channel.history
    last, after = query.get("last"), query.get("after")
    if last is not None and after is not None:
        raise _invalid("'last' and 'after' exclude each other: give one of them")
    start = history.seek_last(0)
    if last is not None:
        if not (last.isascii() and last.isdecimal() and len(last) <= _DIGITS):
            raise _invalid(f"invalid last: {last[:40]!r}; last must be a number of messages")
        start = history.seek_last(int(last))
    if after is not None:
        try:
            start = history.seek_after(Position.parse(after))
        except ValueError:
            raise _invalid(f"invalid after: {after[:60]!r}; after must be a cursor such as k3f9:17") from None
    return SessionOptions(start, _flag(query, "json") or False, _flag(query, "strict"))


def _flag(query: Mapping[str, str], name: str) -> bool | None:
    value = query.get(name)
    if value not in (None, "0", "1"):
        raise _invalid(f"invalid {name}: {value[:40]!r}; {name} must be 0 or 1")
    return None if value is None else value == "1"


def _invalid(text: str) -> UpgradeRefused:
    return UpgradeRefused(response(400, f"{text}\n".encode()))
