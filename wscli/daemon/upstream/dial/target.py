"""Fills the templates of a dial with parameters and tokens, and follows redirects within the origin."""

from __future__ import annotations

from urllib.parse import quote, urlsplit, urlunsplit

from wscli.config.dial_plan import DialPlan
from wscli.core.failures import Failure, FailureKind
from wscli.net.origin import REDIRECTS, redirect_target
from wscli.net.tls import make_tls
from wscli.templates import Scope
from wscli.templates.filters import as_text
from wscli.transport.connection import DialTarget

__all__ = ["make_target", "redirected"]


def make_target(dial: DialPlan, scope: Scope, *, url: str | None = None) -> DialTarget:
    """Fill every template; ``url`` replaces the whole URL after a redirect.

    Raises:
        ValueError: a placeholder has no value, or a value cannot stand where it does; the text quotes no value.
    """
    address = url or _address(dial, scope)
    if dial.url_template is None:
        netloc = urlsplit(dial.shown_url).netloc or "localhost"  # of a Unix socket
    else:
        netloc = urlsplit(address).netloc.rpartition("@")[2]
    peer = dial.shown_connect_to or netloc
    return DialTarget(
        url=address,
        headers=tuple((name, _header(name, value)) for name, value in dial.filled_headers(scope)),
        subprotocols=tuple(map(as_text, dial.filled_subprotocols(scope))),
        compression=dial.compression,
        tls=make_tls(dial.tls) if urlsplit(address).scheme == "wss" else None,
        server_name=dial.tls.server_name,
        proxy=dial.proxy,
        connect_to=None if dial.connect_to is None else dial.connect_to.reveal(),
        max_message=dial.max_message,
        timeout=dial.timeout,
        label=peer if "***" in peer else None,  # of the environment
        shown=_shown(dial, scope, address) if url is None else _shown_redirect(url, netloc),
        shown_proxy=dial.shown_proxy,
    )


def _address(dial: DialPlan, scope: Scope) -> str:
    address = dial.address(scope)
    query = [f"{quote(key, safe='')}={quote(as_text(value), safe='')}" for key, value in dial.filled_query(scope)]
    if not query:
        return address
    return f"{address}{'&' if '?' in address else '?'}{'&'.join(query)}"


def _header(name: str, value: object) -> str:
    text = as_text(value)
    if any((sign < " " and sign != "\t") or sign == "\x7f" or sign > "\xff" for sign in text):
        raise ValueError(f"the filled value of the header {name!r} holds a character that a header cannot")
    return text


def _shown(dial: DialPlan, scope: Scope, address: str) -> str:
    """Give the URL without secrets; of one that a variable gave, scheme and host."""
    if dial.url_template is None or dial.url_template.whole is None:
        return dial.shown_address(scope.get("param", {}))
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], "/***", "", ""))


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
