"""What a client asks for, and whether it may: pure functions of a request. No input makes any of them raise."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote, unquote

__all__ = ["channel_path", "is_origin", "is_own_page", "requested_channel"]

_GATEWAY = "ws/"
_SAFE = "/:@!$&'()*+,;=~"
"""What a path holds unencoded, beside letters, digits and ``-._`` (RFC 3986, section 3.3)."""
_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://[^\s/?#]+")
_OWN_PAGE = re.compile(r"https?://(?:(?:[a-z0-9-]+\.)*localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")


def channel_path(channel: str) -> str:
    """Give the path that a channel is at."""
    return f"/{quote(channel, safe=_SAFE)}"


def requested_channel(path: str, channels: Collection[str]) -> str | None:
    """Give the channel that a request means; None: there is no such one.

    It is ``/CHANNEL``, or ``/ws/CHANNEL`` as at a gateway, or ``/`` where there is one channel only. A query says
    nothing, so that a client may keep the one that it has.
    """
    name = unquote(path.partition("?")[0]).removeprefix("/")
    for meant in (name, name.removeprefix(_GATEWAY)):
        if meant in channels:
            return meant
    return next(iter(channels)) if not name and len(channels) == 1 else None


def is_origin(text: str) -> bool:
    """Whether it may be what a browser sends for a page (RFC 6454, section 6.2)."""
    return _ORIGIN.fullmatch(text) is not None


def is_own_page(origin: str) -> bool:
    """Whether it is the origin of a page that this machine serves itself (RFC 6455, section 10.2)."""
    return _OWN_PAGE.fullmatch(origin.lower()) is not None
