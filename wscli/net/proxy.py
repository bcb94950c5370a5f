"""Which proxy a connection goes through: the declared one, or the one that the environment names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Annotated, Literal
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from pydantic import Field

from wscli.net.hosts import as_address, ascii_name, host_of
from wscli.net.origin import parse_host
from wscli.values import Secret, StrictModel

__all__ = ["PROXY_PORTS", "SOCKS", "ProxyAddress", "ProxyChoice", "ProxySettings", "parse_proxy", "proxy_url"]

SOCKS = ("socks5", "socks5h", "socks4", "socks4a")
"""The schemes of SOCKS proxies; the "h" and the "a" leave the name to the proxy, as in curl."""
PROXY_PORTS = {"http": 80, "https": 443, **dict.fromkeys(SOCKS, 1080)}
"""The default port of each scheme."""

_VARIABLES = {
    # SOCKS first, then CONNECT as for HTTPS: the order that RFC 6455, section 4.1, asks for.
    "wss": ("wss", "socks", "https", "all"),
    "ws": ("ws", "socks", "https", "http", "all"),
    "https": ("https", "all"),
    "http": ("http", "all"),
}
"""The variables ``NAME_proxy`` that apply to a URL's scheme; the first that is set and not empty counts."""


class ProxySettings(StrictModel):
    """A proxy, with credentials beside its URL or in it."""

    url: Annotated[Secret, Field(description="http://, https://, socks5://, socks5h:// or socks4:// HOST:PORT")]
    username: Annotated[Secret | None, Field(description="the user, where the URL names none")] = None
    password: Annotated[Secret | None, Field(description="the user's password")] = None

    def full_url(self) -> str:
        """The URL with the credentials in it."""
        if self.username is None:
            return self.url.reveal()
        parts = urlsplit(self.url.reveal())
        password = f":{quote(self.password.reveal(), safe='')}" if self.password is not None else ""
        host = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, f"{quote(self.username.reveal(), safe='')}{password}@{host}", "", "", ""))


@dataclass(frozen=True, slots=True, repr=False)
class ProxyAddress:
    """A proxy's URL, parsed; no repr, because it holds a password."""

    scheme: str
    host: str
    port: int
    username: str | None
    password: str | None
    """Set where ``username`` is."""


def parse_proxy(url: str) -> ProxyAddress:
    """Parse the URL of a proxy; ``socks`` means SOCKS 4, as to curl.

    Raises:
        ValueError: the URL is invalid; the text does not quote its secrets.
    """
    try:
        parts = urlsplit(url)
        host, port = host_of(parts), parts.port
    except ValueError:
        host, port = "", None
    if not host or port == 0:
        raise ValueError("its URL is invalid")
    scheme = "socks4" if parts.scheme == "socks" else parts.scheme
    if scheme not in PROXY_PORTS:
        raise ValueError(f"its scheme must be one of {', '.join(PROXY_PORTS)}, not {scheme!r}")
    return ProxyAddress(
        scheme=scheme,
        host=host,
        port=port or PROXY_PORTS[scheme],
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.username is None else unquote(parts.password or ""),
    )


ProxyChoice = Literal["auto", "none"] | ProxySettings
"""``auto`` follows the environment, ``none`` connects directly."""


def proxy_url(choice: ProxyChoice, scheme: str, host: str, port: int, environ: Mapping[str, str]) -> str | None:
    """Give the URL of the proxy to a server, credentials included and not validated; None: connect directly."""
    if isinstance(choice, ProxySettings):
        return choice.full_url()
    if choice == "none":
        return None
    found = next(filter(None, (_variable(f"{name}_proxy", environ) for name in _VARIABLES[scheme])), None)
    exempt = _variable("no_proxy", environ).lower().replace(",", " ").split()
    if found is None or any(_matches(entry, host.lower(), port) for entry in exempt):
        return None
    return found if "://" in found else f"http://{found}"


def _variable(name: str, environ: Mapping[str, str]) -> str:
    if name == "http_proxy" and "REQUEST_METHOD" in environ:  # in a CGI program HTTP_PROXY is a header of the client's
        return environ.get(name, "")
    return environ.get(name, environ.get(name.upper(), ""))


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether an entry of ``no_proxy`` is the host, a domain of it, its network, any of them with a port, or ``*``."""
    if entry == "*":
        return True
    address = as_address(host)
    if address is not None and ((alone := as_address(entry)) is not None or "/" in entry):
        try:
            return address == alone or address in ip_network(entry, strict=False)
        except ValueError:
            return False
    try:
        domain = parse_host(ascii_name(entry.removeprefix("*").lstrip(".")))
    except ValueError:
        return False
    if domain is None or domain.port not in (None, port):
        return False
    if address is not None:
        return address == as_address(domain.name)
    name = host.rstrip(".")
    return name == domain.name or name.endswith(f".{domain.name}")
