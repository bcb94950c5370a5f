"""Which proxy a connection goes through: the declared one, or the one that the environment names."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import Field

from wscli.net.origin import parse_host
from wscli.values import Secret, StrictModel

__all__ = ["ProxyChoice", "ProxySettings", "proxy_url"]

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

    url: Annotated[Secret, Field(description="http:// or https:// URL of the proxy")]
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


ProxyChoice = Literal["auto", "none"] | ProxySettings
"""``auto`` follows the environment, ``none`` connects directly."""


def proxy_url(choice: ProxyChoice, scheme: str, host: str, port: int, environ: Mapping[str, str]) -> str | None:
    """Give the URL of the proxy to a server, credentials included; None: connect directly.

    The URL is not validated: which schemes are possible is the caller's to know.
    """
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
    address = _address(host)
    if address is not None and ((alone := _address(entry)) is not None or "/" in entry):
        try:
            return address == alone or address in ip_network(entry, strict=False)
        except ValueError:
            return False
    domain = parse_host(entry.removeprefix("*").lstrip("."))
    if domain is None or domain.port not in (None, port):
        return False
    return host.rstrip(".") == domain.name or (address is None and host.rstrip(".").endswith(f".{domain.name}"))


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.strip("[]"))
    except ValueError:
        return None
