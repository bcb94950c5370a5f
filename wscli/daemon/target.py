"""From a channel's plan, its parameters and its tokens to one dial."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from wscli.config.plan import Dial
from wscli.daemon.transport.link import Target
from wscli.daemon.transport.tls import make_tls
from wscli.events import Failure, FailureKind

__all__ = ["make_target", "redirected"]

_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"ws": 80, "wss": 443}
_AS_WEBSOCKET = {"http": "ws", "https": "wss"}


def make_target(dial: Dial, params: Mapping[str, str], tokens: Mapping[str, str], *, url: str | None = None) -> Target:
    """Fill every template; ``url`` stands for the whole address after a redirect."""
    scope = {"token": tokens, "param": params}
    address = url or _address(dial, params, scope)
    return Target(
        url=address,
        headers=tuple((name, template.render(scope)) for name, template in dial.headers.items()),
        subprotocols=tuple(template.render(scope) for template in dial.subprotocols),
        compression=dial.compression,
        tls=make_tls(dial.tls) if urlsplit(address).scheme == "wss" else None,
        server_name=dial.tls.server_name,
        proxy=dial.proxy,
        max_message=dial.max_message,
        timeout=dial.timeout,
    )


def _address(dial: Dial, params: Mapping[str, str], scope: Mapping[str, Mapping[str, str]]) -> str:
    parts = urlsplit(dial.url.reveal())
    path = parts.path
    if dial.path is not None:
        path = path.rstrip("/") + "/" + dial.path.render(params).lstrip("/")
    given = [parts.query] if parts.query else []
    ours = [f"{quote(key, safe='')}={quote(value.render(scope), safe='')}" for key, value in dial.query.items()]
    return urlunsplit((parts.scheme, parts.netloc, path or "/", "&".join(given + ours), ""))


def redirected(target: Target, failure: Failure) -> str | None:
    """Where a redirect leads, if it stays at the origin of the target; credentials go nowhere else (RFC 6454, 4)."""
    if failure.kind is not FailureKind.STATUS or failure.code not in _REDIRECTS or not failure.location:
        return None
    # urljoin knows no ws://; the two pairs of schemes share their origins' rules.
    base = urlsplit(target.url)
    plain = urlunsplit(("https" if base.scheme == "wss" else "http", *base[1:]))
    location = urlsplit(urljoin(plain, failure.location.replace("wss://", "https://").replace("ws://", "http://")))
    scheme = _AS_WEBSOCKET.get(location.scheme, location.scheme)
    try:
        same = _origin(scheme, location.hostname, location.port) == _origin(base.scheme, base.hostname, base.port)
    except ValueError:  # a port that is none
        return None
    if not same:
        return None
    return urlunsplit((scheme, base.netloc, location.path or "/", location.query, ""))


def _origin(scheme: str, host: str | None, port: int | None) -> tuple[str, str | None, int | None]:
    return scheme, host, port or _PORTS.get(scheme)
