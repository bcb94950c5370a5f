"""Which proxy a dial goes through, if any: of the plan, or of the environment."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from wscli.config.plan import ProxyPlan
from wscli.core.events import Failure, FailureKind
from wscli.transport.address import Address, Place, bracketed
from wscli.transport.link import DialError

__all__ = ["Proxy", "find_proxy"]

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080, "socks4": 1080, "socks4a": 1080}

# SOCKS first, then CONNECT as for HTTPS: the order that RFC 6455, section 4.1, asks for.
_VARIABLES = {True: ("wss", "socks", "https", "all"), False: ("ws", "socks", "https", "http", "all")}


@dataclass(frozen=True, slots=True, repr=False)
class Proxy:
    """A proxy's URL taken apart; it holds a password, and so has no repr."""

    scheme: str
    place: Place
    username: str | None = None
    password: str | None = None

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS rather than HTTP."""
        return self.scheme.startswith("socks")


def find_proxy(plan: ProxyPlan, address: Address) -> Proxy | None:
    """Give the proxy to dial through, or None to dial directly.

    Raises:
        DialError: the proxy's URL is not one that we can use.

    """
    if plan.mode == "url" and plan.url is not None:
        # Its host may come from the environment of the YAML file, so that it is not named.
        return _parse(plan.url.reveal(), "the proxy")
    url = _from_environment(address) if plan.mode == "auto" else None
    return None if url is None else _parse(url if "://" in url else f"http://{url}", None)


def _from_environment(address: Address) -> str | None:
    """Follow ``wss_proxy``, ``https_proxy``, ``all_proxy``, ``no_proxy`` and so on, as curl does."""
    proxies = getproxies_environment()
    place = address.place
    if proxy_bypass(f"{bracketed(place.host)}:{place.port}"):
        return None
    return next((proxies[name] for name in _VARIABLES[address.secure] if proxies.get(name)), None)


def _parse(url: str, label: str | None) -> Proxy:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0:
        raise _unusable("its URL is not valid")
    if parts.scheme not in _DEFAULT_PORTS:
        raise _unusable(f"{parts.scheme!r} is none of {', '.join(_DEFAULT_PORTS)}")
    place = Place(host, port or _DEFAULT_PORTS[parts.scheme])
    return Proxy(
        scheme=parts.scheme,
        place=place._replace(label=label or f"the proxy {place.where}"),
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.username is None else unquote(parts.password or ""),
    )


def _unusable(why: str) -> DialError:
    return DialError(Failure(FailureKind.PROXY, f"the proxy cannot be used: {why}"))
