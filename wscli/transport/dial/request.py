"""The headers of the upgrade request, except those of the protocol itself."""

from __future__ import annotations

import re

from wscli.core.events import Failure, FailureKind
from wscli.transport.connection import DialError, DialTarget
from wscli.transport.dial.address import TargetUrl
from wscli.version import __version__

__all__ = ["USER_AGENT", "request_headers"]

USER_AGENT = f"wscli/{__version__}"

_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_RESERVED = frozenset(
    {
        "connection",
        "upgrade",
        "content-length",
        "transfer-encoding",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
    }
)


def request_headers(target: DialTarget, url: TargetUrl) -> list[tuple[str, str]]:
    """Give the target's headers, after ``Host``, ``User-Agent`` and the URL's credentials where the target has none.

    Raises:
        DialError: a header that HTTP cannot carry (RFC 9110, section 5.5), or that belongs to the upgrade itself.

    """
    own = {name.lower() for name, _ in target.headers}
    headers = [("Host", url.host_header), ("User-Agent", USER_AGENT)]
    if url.authorization is not None:
        headers.append(("Authorization", url.authorization))
    headers = [(name, value) for name, value in headers if name.lower() not in own]
    for name, value in target.headers:
        problem = _problem(name, value)
        if problem is not None:
            raise DialError(Failure(FailureKind.UPGRADE, f"the header {name!r} cannot be sent: {problem}"))
        headers.append((name, value))
    return headers


def _problem(name: str, value: str) -> str | None:
    if not _NAME.fullmatch(name):
        return "its name is invalid"
    if name.lower() in _RESERVED:
        return "it belongs to the upgrade itself"
    if not _VALUE.fullmatch(value):
        return "its value contains a line break or a character beyond ASCII"
    return None
