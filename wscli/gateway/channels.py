"""Serving a channel to a client: the options in its URL, its subprotocol, and its session."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from websockets.http11 import Request

from wscli.daemon.channel.channel import Channel
from wscli.daemon.registry.manager import Manager
from wscli.errors import UsageError, WscliError
from wscli.gateway.clients.shared import SessionOptions, SharedSession
from wscli.gateway.handshake import Handshake
from wscli.gateway.own import serve_own
from wscli.gateway.parameters import read_flag, read_start
from wscli.gateway.upgrade.negotiation import negotiate
from wscli.gateway.upgrade.refusals import UpgradeRefused, refusal_for_error
from wscli.net.subprotocols import is_stateful

__all__ = ["read_options", "serve_channel"]


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
        if channel.plan.clients.is_own(offered):
            _check_own(channel, query)
            await serve_own(manager, handshake, request, channel, offered=offered, spare=spare)
            return
        options = read_options(channel, query)
        clients = channel.plan.clients
        strict = clients.strict if options.strict is None else options.strict
        async with handshake.unless_gone():
            subprotocol = await negotiate(channel, offered, strict=bool(strict), clock=manager.clock)
    except UpgradeRefused as refused:
        await handshake.answer(request, refused.answer)
    except WscliError as error:
        await handshake.answer(request, refusal_for_error(error))
    else:
        if options.strict is None:
            options = options._replace(strict=clients.is_strict(subprotocol))
        if subprotocol is not None and not clients.session:
            options = options._replace(stateful=is_stateful(subprotocol))
        if await handshake.accept(request, subprotocol or spare):
            await SharedSession(manager, channel, handshake, options).run()


def _check_own(channel: Channel, query: Mapping[str, str]) -> None:
    for name in ("last", "after", "json"):
        if name in query:
            text = f"'{name}' does not apply: each client of channel {channel.name!r} has an upstream of its own"
            raise UsageError(f"{text}, without a history", "'clients: shared' lets them share one")
    if query.get("strict") == "0":
        text = "'strict=0' does not apply: a client that has an upstream of its own always ends with it"
        raise UsageError(text, "'clients: shared' lets clients share one")


def read_options(channel: Channel, query: Mapping[str, str]) -> SessionOptions:
    """Read ``?last=N``, ``?after=CURSOR``, ``?json=1`` and ``?strict=1``.

    Raises:
        UsageError: a value is invalid.
    """
    start = read_start(channel.history, query) or channel.history.seek_last(0)
    strict = query.get("strict")
    return SessionOptions(
        start, read_flag("json", query.get("json", "0")), None if strict is None else read_flag("strict", strict)
    )
