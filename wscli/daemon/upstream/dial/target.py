"""Fills the templates of a dial with parameters and tokens, and follows redirects within the origin."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit, urlunsplit

from wscli.config.dial_plan import DialPlan
from wscli.core.failures import Failure, FailureKind
from wscli.net.origin import REDIRECTS, redirect_target
from wscli.net.tls import make_tls
from wscli.transport.connection import DialTarget

__all__ = ["make_target", "redirected"]


def make_target(
    dial: DialPlan, params: Mapping[str, str], tokens: Mapping[str, str], *, url: str | None = None
) -> DialTarget:
    """Fill every template; ``url`` replaces the whole URL after a redirect."""
    scope = {"token": tokens, "param": params}
    address = url or _address(dial, params, scope)
    netloc = urlsplit(dial.shown_url).netloc or "localhost"  # of a Unix socket
    peer = dial.shown_connect_to or netloc
    return DialTarget(
        url=address,
        headers=tuple((name, template.render(scope)) for name, template in dial.headers.items()),
        subprotocols=tuple(template.render(scope) for template in dial.subprotocols),
        compression=dial.compression,
        tls=make_tls(dial.tls) if urlsplit(address).scheme == "wss" else None,
        server_name=dial.tls.server_name,
        proxy=dial.proxy,
        connect_to=None if dial.connect_to is None else dial.connect_to.reveal(),
        max_message=dial.max_message,
        timeout=dial.timeout,
        label=peer if "***" in peer else None,  # of the environment
        shown=dial.shown_address(params) if url is None else _shown_redirect(url, netloc),
        shown_proxy=dial.shown_proxy,
    )


def _address(dial: DialPlan, params: Mapping[str, str], scope: Mapping[str, Mapping[str, str]]) -> str:
    address = dial.address(params)
    query = [f"{quote(key, safe='')}={quote(value.render(scope), safe='')}" for key, value in dial.query.items()]
    if not query:
        return address
    return f"{address}{'&' if '?' in address else '?'}{'&'.join(query)}"


def _shown_redirect(url: str, netloc: str) -> str:
    """Give the URL of a redirect, which stays at ``netloc``, with ``***`` for each value of its query."""
    parts = urlsplit(url)
    query = "&".join(f"{pair.partition('=')[0]}=***" for pair in parts.query.split("&") if pair)
    return urlunsplit((parts.scheme, netloc, parts.path, query, ""))


def redirected(target: DialTarget, failure: Failure) -> str | None:
    """Give the URL of a redirect within the target's origin; None: it is not a redirect, or leaves the origin."""
    if failure.kind is not FailureKind.STATUS or failure.code not in REDIRECTS or not failure.location:
        return None
    return redirect_target(target.url, failure.location)
