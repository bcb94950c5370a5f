"""The headers of the upgrade request beside those of the protocol itself."""

from __future__ import annotations

import re

from wscli import __version__
from wscli.core.events import Failure, FailureKind
from wscli.transport.address import Address
from wscli.transport.link import DialError, Target

__all__ = ["USER_AGENT", "request_headers"]

USER_AGENT = f"wscli/{__version__}"

_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_OURS = frozenset(
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


def request_headers(target: Target, address: Address) -> list[tuple[str, str]]:
    """Give ``Host``, ``User-Agent`` and the URL's credentials, each unless the target has its own, then the target's.

    Raises:
        DialError: a header that HTTP cannot carry (RFC 9110, section 5.5), or that would change the upgrade itself.

    """
    own = {name.lower() for name, _ in target.headers}
    headers = [("Host", address.host_header), ("User-Agent", USER_AGENT)]
    if address.authorization is not None:
        headers.append(("Authorization", address.authorization))
    headers = [(name, value) for name, value in headers if name.lower() not in own]
    for name, value in target.headers:
        problem = _problem(name, value)
        if problem is not None:
            raise DialError(Failure(FailureKind.UPGRADE, f"the header {name!r} cannot be sent: {problem}"))
        headers.append((name, value))
    return headers


def _problem(name: str, value: str) -> str | None:
    if not _TOKEN.fullmatch(name):
        return "its name is not valid"
    if name.lower() in _OURS:
        return "it belongs to the upgrade itself"
    if not _VALUE.fullmatch(value):
        return "its value holds a line break, or a character beyond ASCII"
    return None
