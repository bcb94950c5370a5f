"""Who is let in: pure functions of a request. Host, Origin and token are all checked; loopback is not a wall.

A page that an attacker serves can reach this machine: by its own Origin, or by a name of his that resolves to
127.0.0.1 (DNS rebinding), which shows in Host. No input makes any of these functions raise.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes

from websockets.datastructures import Headers
from websockets.http11 import Request

from wscli.config.plan import GatewayPlan, Listen
from wscli.control.escape import escape

__all__ = [
    "TOKEN_PREFIX",
    "Refusal",
    "admit",
    "channel_name",
    "parse_host",
    "parse_origin",
    "query",
    "subprotocols",
    "tokens",
]

TOKEN_PREFIX = "wscli.token."  # noqa: S105 - of a subprotocol
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_HOST = re.compile(r"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_](?:[a-z0-9_.-]{0,252})))(?::(\d{1,5}))?")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]{0,30})://([^/?#@\\\s]{1,260})")
_SHOWN = 80


class Refusal(NamedTuple):
    """Why a request is refused: an HTTP status, a line with its hint, and headers beside."""

    status: int
    text: str
    headers: Headers


class Host(NamedTuple):
    """A name and a port; None: the scheme's own."""

    name: str
    port: int | None


def admit(plan: GatewayPlan, listen: Listen, request: Request, *, needs_token: bool) -> Refusal | None:
    """Let a request in: None, or say why not.

    Args:
        plan: what the file says.
        listen: where it came in, with the real port.
        request: its line and headers.
        needs_token: whether what it asks for is for those alone who know the token.

    """
    hosts = request.headers.get_all("Host")
    host = parse_host(hosts[0]) if len(hosts) == 1 else None
    if host is None:
        return _refuse(400, "a request has one Host header, a name and perhaps a port", "RFC 9110, section 7.2")
    if not _is_ours(host, plan, listen):
        hint = "add it to gateway.hosts, if this is a name of this machine"
        return _refuse(421, f"{_shown(hosts[0])} is not a name of this gateway", hint)
    refusal = _check_origin(plan, request.headers, host)
    if refusal is not None or not needs_token or plan.token is None:
        return refusal
    given = tokens(request)
    expected = plan.token.reveal().encode("utf-8", "surrogateescape")
    right = [hmac.compare_digest(one, expected) for one in given]  # all are compared, whatever the first one said
    if not right or not all(right):
        hint = "give it as 'Authorization: Bearer TOKEN', as ?token=TOKEN or as a subprotocol"
        what = "the token is wrong" if right else "a token is needed"
        return _refuse(401, what, hint, Headers({"WWW-Authenticate": "Bearer"}))
    return None


def _check_origin(plan: GatewayPlan, headers: Headers, host: Host) -> Refusal | None:
    """A page's Origin is the gateway's own or declared; programs send none (RFC 6455, section 10.2)."""
    given = headers.get_all("Origin")
    if not given:
        return None
    hint = "add it to gateway.origins, if this page may connect"
    if len(given) > 1:
        return _refuse(403, "there are several Origin headers", hint)
    origin = parse_origin(given[0])
    own = {("http", host.name, host.port or _DEFAULT_PORTS["http"])}
    allowed = own | {parsed for one in plan.origins if (parsed := parse_origin(one)) is not None}
    if origin in allowed or given[0] in plan.origins:  # the latter for 'null'
        return None
    return _refuse(403, f"{_shown(given[0])} is not an origin that may connect", hint)


def parse_host(text: str) -> Host | None:
    """Read ``name``, ``name:port`` or ``[v6]:port``; None: it is none of them (RFC 9110, section 7.2)."""
    found = _HOST.fullmatch(text.strip().lower())
    if found is None:
        return None
    port = None if found[3] is None else int(found[3])
    if port is not None and port > 65535:
        return None
    return Host(found[1] or found[2].removesuffix("."), port)


def parse_origin(text: str) -> tuple[str, str, int | None] | None:
    """Read ``scheme://host[:port]`` into its parts, the scheme's own port filled in; None: it is none (RFC 6454)."""
    found = _ORIGIN.fullmatch(text.strip().lower())
    host = parse_host(found[2]) if found is not None else None
    if found is None or host is None:
        return None
    return found[1], host.name, host.port if host.port is not None else _DEFAULT_PORTS.get(found[1])


def _is_ours(host: Host, plan: GatewayPlan, listen: Listen) -> bool:
    if any(_fits(host, one) for one in plan.hosts):
        return True
    if listen.path is not None:  # a client of a Unix socket has no name for it but this
        return host.name == "localhost"
    names = {listen.host.lower().removesuffix(".")}
    if names & _LOOPBACK or listen.host in ("0.0.0.0", "::"):  # noqa: S104 - compared with, not bound to
        names |= _LOOPBACK
    return host.name in names and (host.port or _DEFAULT_PORTS["http"]) == listen.port


def _fits(host: Host, declared: str) -> bool:
    allowed = parse_host(declared)
    return allowed is not None and host.name == allowed.name and allowed.port in (None, host.port)


def tokens(request: Request) -> list[bytes]:
    """Give every token that a request carries: by header, by query and by subprotocol."""
    found = []
    for value in request.headers.get_all("Authorization"):
        scheme, _, credentials = value.partition(" ")
        if scheme.lower() == "bearer":
            found.append(credentials.strip().encode("latin-1", "replace"))
    found += [value.encode("utf-8", "surrogateescape") for name, value in _pairs(request.path) if name == "token"]
    found += [
        _decoded(one.removeprefix(TOKEN_PREFIX))
        for one in subprotocols(request.headers)
        if one.startswith(TOKEN_PREFIX)
    ]
    return found


def _decoded(text: str) -> bytes:
    """Read base64url without padding; what is none is no token at all, and compares as such."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def subprotocols(headers: Headers) -> list[str]:
    """Give what the client offers, in its order."""
    return [
        one.strip() for value in headers.get_all("Sec-WebSocket-Protocol") for one in value.split(",") if one.strip()
    ]


def query(path: str) -> Mapping[str, str]:
    """Read a request's query; of a name that is there twice the last counts."""
    return dict(_pairs(path))


def _pairs(path: str) -> Iterable[tuple[str, str]]:
    try:
        return parse_qsl(path.partition("?")[2], keep_blank_values=True, errors="surrogateescape", max_num_fields=100)
    except ValueError:  # more fields than anybody needs
        return []


def channel_name(path: str) -> str | None:
    """Read the channel's name out of ``/ws/consultations/42``; None: it names none.

    Segments are decoded one by one, so that an encoded slash makes no segment of its own.
    """
    segments = path.partition("?")[0].split("/")
    if segments[:2] != ["", "ws"] or len(segments) < 3:
        return None
    decoded = []
    for segment in segments[2:]:
        try:
            text = unquote_to_bytes(segment).decode()
        except UnicodeDecodeError:
            return None
        if not text or "/" in text or not text.isprintable():
            return None
        decoded.append(text)
    return "/".join(decoded)


def _shown(text: str) -> str:
    return escape(repr(text[:_SHOWN]))


def _refuse(status: int, what: str, hint: str, headers: Headers | None = None) -> Refusal:
    return Refusal(status, f"{what}\nhint: {hint}", headers if headers is not None else Headers())
