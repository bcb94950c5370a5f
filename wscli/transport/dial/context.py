"""The context of one dial: its target, its listener, the headers of its request, and the step in progress."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Any

from wscli.core.failures import Failure, FailureKind
from wscli.net.tls import TlsSettings, make_tls
from wscli.transport.connection import ConnectionListener, DialError, DialTarget, DialTimeline, UpgradeExchange
from wscli.transport.dial.address import ServerAddress, TargetUrl, destination
from wscli.version import __version__

__all__ = ["USER_AGENT", "DialContext", "no_upgrade"]

USER_AGENT = f"wscli/{__version__}"

_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_RESERVED = frozenset(
    {
        *("connection", "upgrade", "content-length", "transfer-encoding"),
        *(f"sec-websocket-{part}" for part in ("accept", "extensions", "key", "protocol", "version")),
    }
)


class DialContext:
    """What the steps of one dial share; it records each step in the timeline.

    Raises:
        DialError: a header or a subprotocol of the target's cannot be sent.
    """

    def __init__(
        self, target: DialTarget, url: TargetUrl, listener: ConnectionListener, timeline: DialTimeline
    ) -> None:
        self.target = target
        self.url = url
        self.destination = destination(target, url)
        """Where the connection leads; its name in messages."""
        self.listener = listener
        self.timeline = timeline
        self.headers = _request_headers(target, url)
        names = tuple(name for name, _ in self.headers)
        self.exchange = UpgradeExchange(target.shown, headers=names, subprotocols=target.subprotocols)
        timeline.exchanges.append(self.exchange)
        self.tls = (target.tls or make_tls(TlsSettings())) if url.scheme == "wss" else None
        self.tls_options: dict[str, Any] = {}
        if self.tls is not None:
            self.tls_options = {
                "server_hostname": target.server_name or url.tls_name,
                "ssl_handshake_timeout": target.timeout + 60.0,  # the dial's deadline is earlier
                "ssl_shutdown_timeout": 1.0,
            }
        self.peer = self.destination
        """The other side of the current step: the server, or its proxy."""
        self.step = ""
        self._time = asyncio.get_running_loop().time
        self.deadline = self._time() + target.timeout
        """When the dial must be over, on the loop's clock."""
        self._began = 0.0
        self.begin("proxy")

    def begin(self, step: str, peer: ServerAddress | None = None) -> None:
        """Begin a step, with another peer if one is given."""
        self.step = step
        self.peer = peer or self.peer
        self._began = self._time()

    def done(self, detail: str, *, ok: bool = True) -> None:
        """Record the end of the current step."""
        self.timeline.add(self.step, self._time() - self._began, detail, ok=ok)


def no_upgrade(dial: DialContext, text: str) -> DialError:
    """Make the error of an answer that is not an upgrade."""
    return DialError(Failure(FailureKind.UPGRADE, f"{dial.peer.where} {text}"))


def _request_headers(target: DialTarget, url: TargetUrl) -> list[tuple[str, str]]:
    """Give ``Host``, ``User-Agent`` and the URL's credentials where the target has none of its own, and its headers.

    Raises:
        DialError: a header that HTTP cannot carry (RFC 9110, section 5.5), or that belongs to the upgrade itself; a
            subprotocol that is not a token (RFC 6455, section 4.1).
    """
    own = {name.lower() for name, _ in target.headers}
    host = next((value for name, value in target.headers if name.lower() == "host"), url.host_header)
    ours = [("User-Agent", USER_AGENT)]
    if url.authorization is not None:
        ours.append(("Authorization", url.authorization))
    for name, value in target.headers:
        if (problem := _problem(name, value)) is not None:
            raise DialError(Failure(FailureKind.UPGRADE, f"the header {name!r} cannot be sent: {problem}"))
    if not all(map(_TOKEN.fullmatch, target.subprotocols)):  # not quoted: it may contain a token
        text = "a subprotocol cannot be sent: it must be a token of RFC 9110, without blanks, commas or quotes"
        raise DialError(Failure(FailureKind.UPGRADE, text))
    ours = [header for header in ours if header[0].lower() not in own]
    theirs = [header for header in target.headers if header[0].lower() != "host"]
    headers = [("Host", host), *ours, *theirs]  # Host comes first (RFC 9110, section 7.2)
    # Each channel keeps the names of its last attempt, and most are the same.
    return [(sys.intern(name), value) for name, value in headers]


def _problem(name: str, value: str) -> str | None:
    if not _TOKEN.fullmatch(name):
        return "its name is invalid"
    if name.lower() in _RESERVED:
        return "it belongs to the upgrade itself"
    if not _VALUE.fullmatch(value):
        return "its value contains a line break or a character beyond Latin-1"
    return None
