"""The URL of a dial, parsed, and the server's name in messages."""

from __future__ import annotations

import base64
import string
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from wscli.core.failures import Failure, FailureKind
from wscli.net.hosts import UNIX, host_of, parse_place, without_zone
from wscli.transport.connection import DialError, DialTarget

__all__ = ["ServerAddress", "TargetUrl", "destination", "parse_target_url"]

_DEFAULT_PORTS = {"ws": 80, "wss": 443}
_PRINTABLE = string.ascii_letters + string.digits + string.punctuation


class ServerAddress(NamedTuple):
    """A host and its port, or the path of a Unix socket; ``label`` replaces them in messages where they are secret."""

    host: str
    port: int | None
    """None: ``host`` is the path of a Unix socket."""
    label: str | None = None

    @property
    def name(self) -> str:
        """The host, as an error message quotes it."""
        return self.label or repr(self.host)

    @property
    def netloc(self) -> str:
        """The host and the port as in a URL; ``unix:PATH``."""
        return f"{UNIX}{self.host}" if self.port is None else f"{_bracketed(self.host)}:{self.port}"

    @property
    def where(self) -> str:
        """The host and the port, as a message shows them."""
        return self.label or self.netloc


def _bracketed(host: str) -> str:
    """Put brackets around an IPv6 address (RFC 3986, section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


@dataclass(frozen=True, slots=True, repr=False)
class TargetUrl:
    """A WebSocket URL; ``authorization`` is its userinfo as a header's value."""

    server: ServerAddress
    scheme: str
    """``wss`` or ``ws``."""
    resource: str
    """The path and query of the request line."""
    authorization: str | None

    @property
    def host_header(self) -> str:
        """The ``Host`` header; it omits the scheme's default port (RFC 6455, section 4.1)."""
        host = _bracketed(without_zone(self.server.host))
        return host if self.server.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.server.port}"

    @property
    def tls_name(self) -> str:
        """The name to ask for and to check; without the dot at its end (RFC 6066, section 3)."""
        return without_zone(self.server.host).removesuffix(".")


def parse_target_url(target: DialTarget) -> TargetUrl:
    """Parse the target's URL.

    Raises:
        DialError: the URL is invalid; the text does not quote it, because it may contain secrets.
    """
    try:
        parts = urlsplit(target.url)
        host, port = host_of(parts), parts.port
    except ValueError:
        raise _invalid("its host or port is invalid") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise _invalid("it must begin with ws:// or wss://")
    if not host or port == 0:
        raise _invalid("it has no host" if not host else "its port is 0")
    query = f"?{quote(parts.query, safe=_PRINTABLE)}" if parts.query else ""
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return TargetUrl(
        server=ServerAddress(host, port or _DEFAULT_PORTS[parts.scheme], target.label),
        scheme=parts.scheme,
        resource=(quote(parts.path, safe=_PRINTABLE) or "/") + query,
        authorization=None if parts.username is None else "Basic " + base64.b64encode(pair.encode()).decode(),
    )


def destination(target: DialTarget, url: TargetUrl) -> ServerAddress:
    """Give where the TCP connection leads: ``connect_to``, else the URL's server.

    Raises:
        DialError: ``connect_to`` is invalid.
    """
    if target.connect_to is None:
        return url.server
    try:
        return ServerAddress(*parse_place(target.connect_to), target.label)
    except ValueError as error:
        raise DialError(Failure(FailureKind.TCP, f"invalid connect_to: {error}")) from None


def _invalid(why: str) -> DialError:
    return DialError(Failure(FailureKind.UPGRADE, f"the url cannot be dialled: {why}"))
