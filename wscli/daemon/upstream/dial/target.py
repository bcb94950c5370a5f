"""From a channel's plan, its parameters and its tokens to one dial."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

from wscli.config.plan import DialPlan
from wscli.core.events import Failure, FailureKind
from wscli.transport.link import Target
from wscli.transport.tls import make_tls

__all__ = ["make_target", "redirected"]

_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}


def make_target(
    dial: DialPlan, params: Mapping[str, str], tokens: Mapping[str, str], *, url: str | None = None
) -> Target:
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
        label=_label(dial),
    )


def _label(dial: DialPlan) -> str | None:
    """What errors call the server where its host or port came from the environment, and is not to be shown."""
    shown = urlsplit(dial.shown_url).netloc
    return shown if "***" in shown else None


def _address(dial: DialPlan, params: Mapping[str, str], scope: Mapping[str, Mapping[str, str]]) -> str:
    address = dial.address(params)
    query = [f"{quote(key, safe='')}={quote(value.render(scope), safe='')}" for key, value in dial.query.items()]
    if not query:
        return address
    return f"{address}{'&' if '?' in address else '?'}{'&'.join(query)}"


def redirected(target: Target, failure: Failure) -> str | None:
    """Where a redirect leads, if it stays at the origin of the target; credentials go nowhere else (RFC 6454, 4)."""
    if failure.kind is not FailureKind.STATUS or failure.code not in _REDIRECTS or not failure.location:
        return None
    here = urlsplit(target.url)
    try:
        there = urlsplit(urljoin(_as_http(target.url), _as_http(failure.location)))
        same = _origin(there) == _origin(urlsplit(_as_http(target.url)))
    except ValueError:  # no address at all, or a port that is none
        return None
    return urlunsplit((here.scheme, here.netloc, there.path or "/", there.query, "")) if same else None


def _as_http(url: str) -> str:
    """Write ws:// as http:// and wss:// as https://: urljoin knows only those, and servers redirect to either."""
    return f"http{url[2:]}" if url.lower().startswith(("ws://", "wss://")) else url


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)
