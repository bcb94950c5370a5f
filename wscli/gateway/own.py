"""Serving a client that gets an upstream of its own: its dial, and the answer to its upgrade behind that."""

from __future__ import annotations

from collections.abc import Sequence

from websockets.http11 import Request

from wscli.core.failures import Failure, FailureKind
from wscli.daemon.channel.channel import Channel
from wscli.daemon.channel.own_clients import NotNow
from wscli.daemon.registry.manager import Manager
from wscli.daemon.upstream.own import OwnUpstream
from wscli.gateway.clients.own import OwnFeed, OwnSession
from wscli.gateway.handshake import Handshake
from wscli.gateway.upgrade.refusals import UpgradeRefused, refusal_for_failure, refusal_for_now
from wscli.tokens.errors import TokenFailed
from wscli.transport.connection import DialError

__all__ = ["serve_own"]

_GONE = Failure(FailureKind.CLOSE, "the client hung up before its upgrade was answered", code=1006, by="none")


async def serve_own(
    manager: Manager,
    handshake: Handshake,
    request: Request,
    channel: Channel,
    *,
    offered: Sequence[str],
    spare: str | None = None,
) -> None:
    """Dial an upstream for a client, answer its upgrade as the server answered, and serve it; see ``serve_channel``.

    Raises:
        UpgradeRefused: there is no upstream; the answer says why.
        WscliError: the channel is stopped, paused or removed.
    """
    if (invalid := handshake.refusal(request)) is not None:
        raise UpgradeRefused(invalid)
    feed = OwnFeed()
    try:
        with channel.own.upstream(offered, feed.receive) as upstream:
            feed.hold = lambda held: upstream.hold(held=held)
            await _dial(channel, upstream, handshake)
            negotiated = None if upstream.connection is None else upstream.connection.subprotocol
            if await handshake.accept(request, negotiated if negotiated in offered else spare):
                await OwnSession(manager, channel, handshake, feed, upstream).run()
    except NotNow as error:
        raise UpgradeRefused(refusal_for_now(error.message, error.hint, retry_after=error.retry_after)) from None


async def _dial(channel: Channel, upstream: OwnUpstream, handshake: Handshake) -> None:
    try:
        with handshake.watched(lambda: upstream.give_up(_GONE)):
            await channel.own.dial(upstream)
    except (DialError, TokenFailed) as error:
        exchanges = upstream.record.shown_timeline().exchanges
        wait = error.failure.retry_after
        raise UpgradeRefused(
            refusal_for_failure(
                error.failure, exchanges[-1] if exchanges else None, channel=channel.name, retry_after=wait
            )
        ) from None
