"""Where a dial goes: the URL taken apart, and what to call the server in texts."""

from __future__ import annotations

import base64
import string
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote, urlsplit

from wscli.core.events import Failure, FailureKind
from wscli.transport.link import DialError, Target

__all__ = ["Address", "Place", "parse_address"]

_DEFAULT_PORTS = {"ws": 80, "wss": 443}
_PRINTABLE = string.ascii_letters + string.digits + string.punctuation


class Place(NamedTuple):
    """A host and its port; ``label`` stands for both where their text must not be shown."""

    host: str
    port: int
    label: str | None = None

    @property
    def name(self) -> str:
        """The host, as an error message quotes it."""
        return self.label or repr(self.host)

    @property
    def where(self) -> str:
        """The host and the port, with brackets around an IPv6 address."""
        return self.label or f"{bracketed(self.host)}:{self.port}"


def bracketed(host: str) -> str:
    """A host as it stands in a URL (RFC 3986, section 3.2.2)."""
    return f"[{host}]" if ":" in host else host


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """A URL taken apart; ``authorization`` is its userinfo as a header's value."""

    place: Place
    secure: bool
    path: str
    query: str
    authorization: str | None

    @property
    def origin(self) -> str:
        """Scheme, host and port (RFC 6454, section 4)."""
        scheme = "wss" if self.secure else "ws"
        return f"{scheme}://{bracketed(self.place.host)}:{self.place.port}"

    @property
    def host_header(self) -> str:
        """The ``Host`` header: the port only where it is not the scheme's own (RFC 6455, section 4.1)."""
        host = bracketed(self.place.host)
        return host if self.place.port == (443 if self.secure else 80) else f"{host}:{self.place.port}"

    @property
    def resource(self) -> str:
        """What the request line asks for."""
        return f"{self.path}?{self.query}" if self.query else self.path


def parse_address(target: Target) -> Address:
    """Take the target's URL apart.

    Raises:
        DialError: it is no WebSocket URL; the text does not quote it, because it may hold secrets.

    """
    try:
        parts = urlsplit(target.url)
        port = parts.port
        host = parts.hostname or ""
        if not host.isascii():
            host = host.encode("idna").decode()
    except ValueError:  # UnicodeError, of a name that cannot be encoded, is one as well
        raise _no_url("its host or port is not valid") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise _no_url("it begins neither with ws:// nor with wss://")
    if not host or port == 0:
        raise _no_url("it names no host" if not host else "there is no port 0")
    return Address(
        place=Place(host, port or _DEFAULT_PORTS[parts.scheme], target.label),
        secure=parts.scheme == "wss",
        path=quote(parts.path, safe=_PRINTABLE) or "/",
        query=quote(parts.query, safe=_PRINTABLE),
        authorization=_basic(parts.username, parts.password),
    )


def _no_url(why: str) -> DialError:
    return DialError(Failure(FailureKind.UPGRADE, f"the url cannot be dialled: {why}"))


def _basic(username: str | None, password: str | None) -> str | None:
    if username is None:
        return None
    pair = f"{unquote(username)}:{unquote(password or '')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()
