"""Which channel a request asks for, and whether its origin is allowed: pure functions that never raise."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote, unquote

__all__ = ["channel_path", "is_origin", "is_own_page", "requested_channel"]

_GATEWAY = "ws/"
_SAFE = "/:@!$&'()*+,;=~"
"""Characters that a path holds unencoded, besides letters, digits and ``-._`` (RFC 3986, section 3.3)."""
_ORIGIN = re.compile(r"null|[a-z][a-z0-9+.-]*://[^\s/?#]+")
_OWN_PAGE = re.compile(r"https?://(?:(?:[a-z0-9-]+\.)*localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?")


def channel_path(channel: str) -> str:
    """Give the path of a channel."""
    return f"/{quote(channel, safe=_SAFE)}"


def requested_channel(path: str, channels: Collection[str]) -> str | None:
    """Give the channel that a request asks for; None where there is no such channel.

    The path is ``/CHANNEL``, or ``/ws/CHANNEL`` as at a gateway, or ``/`` where there is one channel only. A query is
    ignored, so that a client may keep its own.
    """
    name = unquote(path.partition("?")[0]).removeprefix("/")
    for meant in (name, name.removeprefix(_GATEWAY)):
        if meant in channels:
            return meant
    return next(iter(channels)) if not name and len(channels) == 1 else None


def is_origin(text: str) -> bool:
    """Whether a text is an origin that a browser may send (RFC 6454, section 6.2)."""
    return _ORIGIN.fullmatch(text) is not None


def is_own_page(origin: str) -> bool:
    """Whether an origin is that of a page served by this machine (RFC 6455, section 10.2)."""
    return _OWN_PAGE.fullmatch(origin.lower()) is not None
