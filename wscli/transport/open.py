"""Opens one connection: chooses the adapter, bounds the time, and translates failures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from wscli.core.events import Failure, FailureKind
from wscli.errors import ConfigError
from wscli.transport.connection import Connection, ConnectionListener, DialError, DialTarget, DialTimeline
from wscli.transport.dial.address import parse_target_url
from wscli.transport.dial.context import DialContext
from wscli.transport.dial.failures import FOREIGN, failure_of, timed_out
from wscli.transport.dial.proxy import find_proxy
from wscli.transport.dial.tunnel import Conduit, reach
from wscli.transport.frames.base import BaseConnection
from wscli.transport.websockets.upgrade import open_websockets

__all__ = ["Adapter", "fallbacks", "open_connection"]

logger = logging.getLogger("wscli.transport")

Adapter = Literal["auto", "websockets", "picows"]
_Open = Callable[[DialContext, Conduit], Awaitable[BaseConnection]]

fallbacks: dict[str, str] = {}
"""The reason why picows refuses the upgrade, by origin."""
_MAX_FALLBACKS = 1000


async def open_connection(
    target: DialTarget, listener: ConnectionListener, timeline: DialTimeline, *, adapter: Adapter = "auto"
) -> Connection:
    """Open one connection; ``timeline`` gets each step, the failed one included.

    ``auto`` means picows where it is installed and compression is not requested, else websockets. A server whose
    upgrade only picows refuses is dialled again with websockets at once, and with websockets from then on. ``listener``
    is called only after this function has returned. A cancelled call leaves no socket open.

    Raises:
        DialError: the dial failed, or took longer than ``target.timeout`` seconds.
        ConfigError: the requested adapter is not installed.
    """
    dial = DialContext(target, parse_target_url(target), listener, timeline)
    limit = asyncio.timeout(target.timeout)
    try:
        async with limit:
            connection = await _open(dial, adapter)
    except DialError as error:
        dial.done(error.failure.text, ok=False)
        raise
    except asyncio.CancelledError:
        dial.done("given up", ok=False)
        raise
    except FOREIGN as error:
        if limit.expired():
            failure = timed_out(dial.step, dial.peer, target.timeout)
        else:
            failure = failure_of(error, dial.step, dial.peer)
        dial.done(failure.text, ok=False)
        raise DialError(failure) from None  # the library's text may quote the URL
    connection.begin()
    return connection


async def _open(dial: DialContext, adapter: Adapter) -> BaseConnection:
    proxy = find_proxy(dial.target, dial.url)
    fast = None if adapter == "websockets" else _picows()
    if fast is None and adapter == "picows":
        raise ConfigError("the adapter 'picows' is not installed", hint="install wscli-manager[fast]")
    through_tls = proxy is not None and proxy.scheme == "https"
    if through_tls and adapter == "picows":
        raise DialError(Failure(FailureKind.PROXY, "the adapter 'picows' does not speak TLS to a proxy"))
    # The native interface of picows has no compression.
    suits = dial.target.compression == "none" and dial.url.origin not in fallbacks and not through_tls
    if fast is not None and (adapter == "picows" or suits):
        opener, refusal = fast
        try:
            return await opener(dial, await reach(dial, proxy))
        except refusal as error:
            text = f"picows refuses the upgrade of {dial.url.server.where}: {error}"
            if adapter == "picows":
                raise DialError(Failure(FailureKind.UPGRADE, text)) from None
            dial.done(text, ok=False)
            logger.warning("%s; it is dialled with websockets from now on", text)
            if len(fallbacks) >= _MAX_FALLBACKS:
                del fallbacks[next(iter(fallbacks))]
            fallbacks[dial.url.origin] = str(error)
    return await open_websockets(dial, await reach(dial, proxy))


def _picows() -> tuple[_Open, type[Exception]] | None:
    """Give the opener, and the exception for an upgrade that only picows refuses; None without the extra."""
    try:
        from wscli.transport.picows.upgrade import OnlyPicowsRefuses, open_picows
    except ImportError:
        return None
    return open_picows, OnlyPicowsRefuses
