"""Opens one connection: chooses the adapter, bounds the time, and translates failures."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from wscli.errors import ConfigError
from wscli.transport.connection import Connection, ConnectionListener, DialError, DialTarget, DialTimeline
from wscli.transport.dial.address import parse_target_url
from wscli.transport.dial.context import DialContext
from wscli.transport.dial.failures import FOREIGN, failure_of, timed_out
from wscli.transport.dial.proxy import find_proxy
from wscli.transport.dial.tunnel import Conduit, reach
from wscli.transport.frames.base import BaseConnection
from wscli.transport.websockets.connection import open_websockets

__all__ = ["Adapter", "open_connection"]

Adapter = Literal["auto", "websockets", "picows"]
_Open = Callable[[DialContext, Conduit], Awaitable[BaseConnection]]


async def open_connection(
    target: DialTarget, listener: ConnectionListener, timeline: DialTimeline, *, adapter: Adapter = "auto"
) -> Connection:
    """Open one connection; ``timeline`` gets each step, the failed one included.

    ``auto`` means picows where it is installed and compression is not requested, else websockets. ``listener`` is
    called only after this function has returned. A cancelled call leaves no socket open.

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
    picows = None if adapter == "websockets" else _picows()
    if picows is None and adapter == "picows":
        raise ConfigError("the adapter 'picows' is not installed", hint="install wscli-manager[fast]")
    fast = adapter == "picows" or dial.target.compression == "none"
    proxy = find_proxy(dial.target, dial.url)
    dial.exchange.proxy = None if proxy is None else proxy.shown
    conduit = await reach(dial, proxy)
    return await (picows if picows is not None and fast else open_websockets)(dial, conduit)


def _picows() -> _Open | None:
    try:
        from wscli.transport.picows.connection import open_picows
    except ImportError:  # without the extra
        return None
    return open_picows
