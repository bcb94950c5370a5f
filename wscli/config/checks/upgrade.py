"""Headers, query parameters and subprotocols of an endpoint or a channel."""

from __future__ import annotations

import re

from wscli.config.checks.context import Context, LocatedTemplate
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Items

__all__ = ["Headers", "Query", "compile_headers", "compile_query", "compile_subprotocols"]

Headers = dict[str, tuple[str, LocatedTemplate]]
"""By lower-case name: the name as written, and its value."""
Query = dict[str, tuple[LocatedTemplate, ...]]
"""By name; several values repeat it."""

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OWNED = {
    "connection": "the upgrade sets it",
    "upgrade": "the upgrade sets it",
    "content-length": "an upgrade has no body",
    "transfer-encoding": "an upgrade has no body",
    "sec-websocket-key": "the upgrade sets it",
    "sec-websocket-version": "the upgrade sets it",
    "sec-websocket-accept": "only servers send it",
    "sec-websocket-protocol": "use 'subprotocols:'",
    "sec-websocket-extensions": "use 'compression:'",
    "proxy-authorization": "use 'proxy: {url, username, password}'",
}


def compile_headers(located: Located | None, context: Context) -> Headers:
    """Compile headers: names of RFC 9110, none that the upgrade itself sets, values that end no line."""
    headers: Headers = {}
    for name, value in located.entries() if located is not None else ():
        lower = name.lower()
        if not _TOKEN.fullmatch(name):
            context.add(value, "invalid name of a header (RFC 9110, section 5.6.2)", key=True)
        elif lower in _OWNED:
            context.add(value, f"the header {name!r} cannot be set; {_OWNED[lower]}", key=True)
        elif lower in headers:
            context.add(value, f"the header {headers[lower][0]!r} again; names differ by more than case", key=True)
        placed = _header_value(value, context)
        if placed is not None:
            headers.setdefault(lower, (name, placed))
    return headers


def _header_value(located: Located, context: Context) -> LocatedTemplate | None:
    placed = context.template(located)
    if placed is None:
        return None
    text = placed.template.source
    if any(sign in text for sign in "\r\n\0"):
        context.add(located, "this header's value holds a line break")
    elif any((sign < " " and sign != "\t") or sign == "\x7f" for sign in text):
        context.add(located, "this header's value holds a control character")
    elif any(sign > "\xff" for sign in text):
        context.add(located, "this header's value holds a character beyond Latin-1; encode it")
    return placed


def compile_query(located: Located | None, context: Context) -> Query:
    """Compile query parameters; a list has several values of one name."""
    query: Query = {}
    for name, value in located.entries() if located is not None else ():
        if not name:
            context.add(value, "a query parameter needs a name", key=True)
        items = list(value.items()) if isinstance(value.node, Items) else [value]
        query[name] = tuple(placed for item in items if (placed := context.template(item)) is not None)
    return query


def compile_subprotocols(located: Located | None, context: Context) -> tuple[LocatedTemplate, ...]:
    """Compile subprotocols: each a token, and none twice (RFC 6455, section 4.1)."""
    found: dict[str, LocatedTemplate] = {}
    for item in located.items() if located is not None else ():
        placed = context.template(item)
        if placed is None:
            continue
        if not _TOKEN.fullmatch(placed.sample()):
            context.add(item, "invalid subprotocol: it must be a token of RFC 9110, without blanks, commas or quotes")
        elif placed.template.source in found:
            context.add(item, "this subprotocol is offered twice")
        found[placed.template.source] = placed
    return tuple(found.values())
