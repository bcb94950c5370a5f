"""One attempt to open a link: which adapter, the deadline over all of its steps, and what a failure is called."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from wscli.core.events import Failure, FailureKind
from wscli.errors import ConfigError
from wscli.transport.address import parse_address
from wscli.transport.base import BaseLink
from wscli.transport.course import Course
from wscli.transport.failures import FOREIGN, timed_out, translate
from wscli.transport.link import DialError, Link, Listener, Target, Timeline
from wscli.transport.proxy import find_proxy
from wscli.transport.tunnel import Conduit, reach
from wscli.transport.upgrade import open_websockets

__all__ = ["Adapter", "forget_fallbacks", "open_link"]

logger = logging.getLogger("wscli.transport")

Adapter = Literal["auto", "websockets", "picows"]
_Open = Callable[[Course, Conduit], Awaitable[BaseLink]]

_fallbacks: dict[str, str] = {}
"""Origins whose upgrade picows refuses, with its reason."""
_MOST_FALLBACKS = 1000


def forget_fallbacks() -> None:
    """Try picows again everywhere."""
    _fallbacks.clear()


async def open_link(target: Target, listener: Listener, timeline: Timeline, *, adapter: Adapter = "auto") -> Link:
    """Open one link; ``timeline`` gets each step, the failed one included.

    ``auto`` is picows where it is installed and no compression is asked for, else websockets. A server whose upgrade
    picows refuses and websockets may accept is dialled again with websockets at once, and with it alone from then on.
    ``listener`` is called back only after this has returned. Cancelled, it leaves no socket.

    Raises:
        DialError: the dial failed, or took longer than ``target.timeout`` seconds.
        ConfigError: the adapter that was asked for is not installed.

    """
    course = Course(target, parse_address(target), listener, timeline)
    limit = asyncio.timeout(target.timeout)
    try:
        async with limit:
            link = await _open(course, adapter)
    except DialError as error:
        course.failed(error.failure.text)
        raise
    except asyncio.CancelledError:
        course.failed("given up")
        raise
    except FOREIGN as error:
        if limit.expired():
            failure = timed_out(course.step, course.place, target.timeout)
        else:
            failure = translate(error, course.step, course.place)
        course.failed(failure.text)
        raise DialError(failure) from None  # the library's text may quote the URL
    link.begin()
    return link


async def _open(course: Course, adapter: Adapter) -> BaseLink:
    proxy = find_proxy(course.target.proxy, course.address)
    fast = None if adapter == "websockets" else _picows()
    if fast is None and adapter == "picows":
        raise ConfigError("the adapter 'picows' is not installed", hint="install wscli-manager[fast]")
    through_tls = proxy is not None and proxy.scheme == "https"
    if through_tls and adapter == "picows":
        raise DialError(Failure(FailureKind.PROXY, "the adapter 'picows' does not speak TLS to a proxy"))
    if fast is not None and (adapter == "picows" or (_suits_picows(course) and not through_tls)):
        opener, refusal = fast
        try:
            return await opener(course, await reach(course, proxy))
        except refusal as error:
            text = f"picows refuses the upgrade of {course.address.place.where}: {error}"
            if adapter == "picows":
                raise DialError(Failure(FailureKind.UPGRADE, text)) from None
            course.failed(text)
            logger.warning("%s; it is dialled with websockets from now on", text)
            _remember(course.address.origin, str(error))
    return await open_websockets(course, await reach(course, proxy))


def _suits_picows(course: Course) -> bool:
    """Whether picows does all that this dial needs: its native listener knows no compression."""
    return course.target.compression == "none" and course.address.origin not in _fallbacks


def _remember(origin: str, why: str) -> None:
    if len(_fallbacks) >= _MOST_FALLBACKS:
        del _fallbacks[next(iter(_fallbacks))]
    _fallbacks[origin] = why


def _picows() -> tuple[_Open, type[Exception]] | None:
    """Give the opener, and what it raises when only picows refuses; None without the extra."""
    try:
        from wscli.transport.fast_upgrade import OnlyPicowsRefuses, open_picows
    except ImportError:
        return None
    return open_picows, OnlyPicowsRefuses
