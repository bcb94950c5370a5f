"""Who is let in: pure functions of a request. Host, Origin and token are all checked; loopback is not a wall.

A page that an attacker serves can reach this machine: by its own Origin, or by a name of his that resolves to
127.0.0.1 (DNS rebinding), which shows in Host. No input makes any of these functions raise.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from websockets.datastructures import Headers
from websockets.http11 import Request

from wscli.config.models.gateway import GatewayPlan, Listen
from wscli.control.escape import escape
from wscli.net.origin import DEFAULT_PORTS, Host, Origin, parse_host, parse_origin
from wscli.values import Secret

__all__ = ["TOKEN_PREFIX", "Refusal", "admit", "channel_name", "query", "subprotocols", "token_subprotocol"]

TOKEN_PREFIX = "wscli.token."  # noqa: S105 - of a subprotocol
_CHANNELS = "/ws/"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
_LONGEST_QUOTE = 80


class Refusal(NamedTuple):
    """Why a request is refused: an HTTP status, a line and its ``hint:`` line, and headers beside."""

    status: int
    text: str
    headers: Headers


def admit(plan: GatewayPlan, listen: Listen, request: Request, *, needs_token: bool) -> Refusal | None:
    """Let a request in: None, or say why not.

    Args:
        plan: what the file says.
        listen: where it came in, with the real port.
        request: its line and headers.
        needs_token: whether what it asks for is for those alone who know the token.

    """
    host = _host(plan, listen, request.headers)
    if isinstance(host, Refusal):
        return host
    refusal = _check_origin(plan, request.headers, host)
    if refusal is None and needs_token and plan.token is not None:
        refusal = _check_token(plan.token, request)
    return refusal


def _host(plan: GatewayPlan, listen: Listen, headers: Headers) -> Host | Refusal:
    """Read the one Host header, and refuse what is no name of ours (RFC 9110, sections 7.2 and 7.4)."""
    given = headers.get_all("Host")
    if len(given) != 1:
        what = "there is no Host header" if not given else f"there are {len(given)} Host headers"
        return _refuse(400, what, "a request has one, which names the gateway (RFC 9110, section 7.2)")
    host = parse_host(given[0])
    if host is None:
        return _refuse(400, f"{_quoted(given[0])} is no Host", "it is NAME or NAME:PORT (RFC 9110, section 7.2)")
    if not _is_ours(host, plan, listen):
        hint = "add it to gateway.hosts, if it is a name of this machine"
        return _refuse(421, f"{_quoted(given[0])} is not a name of this gateway", hint)
    return host


def _is_ours(host: Host, plan: GatewayPlan, listen: Listen) -> bool:
    declared = [one for one in map(parse_host, plan.hosts) if one is not None and one.name == host.name]
    if listen.path is not None:  # a client of a Unix socket has no name for it but this, and no port
        return host.name == "localhost" or bool(declared)
    port = _port(host)
    if any(one.port in (None, port) for one in declared):
        return True
    return port == listen.port and host.name in _names(listen.host)


def _port(host: Host) -> int:
    return DEFAULT_PORTS["http"] if host.port is None else host.port


def _names(listened: str) -> frozenset[str]:
    """Give what clients may call an address that is listened at."""
    name = listened.lower().removesuffix(".")
    try:
        address = ip_address(name)
    except ValueError:
        return _LOOPBACK | {name} if name == "localhost" else frozenset({name})
    near = address.is_loopback or str(address) in _EVERYWHERE
    return frozenset({str(address)}) | (_LOOPBACK if near else frozenset())


def _check_origin(plan: GatewayPlan, headers: Headers, host: Host) -> Refusal | None:
    """Refuse pages from elsewhere; a program sends no Origin (RFC 6455, sections 4.2.2 and 10.2)."""
    given = headers.get_all("Origin")
    if not given:
        return None
    hint = "add it to gateway.origins, if this page may connect"
    if len(given) > 1:
        return _refuse(403, f"there are {len(given)} Origin headers", "a request has one, or none")
    if given[0] == "null":  # of a sandboxed page or a local file, which may be anybody's
        return None if "null" in plan.origins else _refuse(403, "'null' is not an origin that may connect", hint)
    origin = parse_origin(given[0])
    own = Origin("http", host.name, _port(host))
    if origin is not None and (origin == own or origin in map(parse_origin, plan.origins)):
        return None
    return _refuse(403, f"{_quoted(given[0])} is not an origin that may connect", hint)


def _check_token(token: Secret, request: Request) -> Refusal | None:
    """Refuse a request that shows no token, or a wrong one beside a right one."""
    expected = token.reveal().encode("utf-8", "surrogatepass")
    right = [_equal(given, expected) for given in _tokens(request)]
    right += [_equal(given, _base64url(expected)) for given in _carried(subprotocols(request.headers))]
    if right and all(right):  # each was compared, whatever the first one said
        return None
    hint = "give it as 'Authorization: Bearer TOKEN', as ?token=TOKEN or as a subprotocol"
    what = "the token is wrong" if right else "a token is needed"
    return _refuse(401, what, hint, Headers({"WWW-Authenticate": "Bearer"}))


def _tokens(request: Request) -> Iterator[bytes]:
    """Give every token in the headers (RFC 6750, section 2.1) and in the query."""
    for value in request.headers.get_all("Authorization"):
        scheme, _, credentials = value.partition(" ")
        if scheme.lower() == "bearer":
            yield _bytes(credentials.strip(" \t"))
    for name, value in _pairs(request.path):
        if name == "token":
            yield unquote_to_bytes(_bytes(value))


def _carried(offered: Iterable[str]) -> Iterator[bytes]:
    """Give the tokens among subprotocols, as they are written: decoded, two texts could mean one token."""
    return (_bytes(one.removeprefix(TOKEN_PREFIX)) for one in offered if one.startswith(TOKEN_PREFIX))


def _base64url(token: bytes) -> bytes:
    return base64.urlsafe_b64encode(token).rstrip(b"=")


def _equal(given: bytes, expected: bytes) -> bool:
    """Compare in a time that tells nothing of what is expected, its length included."""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(expected).digest())


def _bytes(text: str) -> bytes:
    """Give back the bytes that were sent: ``websockets`` reads headers as Latin-1, and a path as ASCII."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def subprotocols(headers: Headers) -> list[str]:
    """Give what the client offers, in its order (RFC 6455, section 11.3.4)."""
    offered = (one.strip(" \t") for value in headers.get_all("Sec-WebSocket-Protocol") for one in value.split(","))
    return [one for one in offered if one]


def token_subprotocol(offered: Sequence[str]) -> str | None:
    """Give the first subprotocol that carries a token; None: none does."""
    return next((one for one in offered if one.startswith(TOKEN_PREFIX)), None)


def query(path: str) -> dict[str, str]:
    """Read a request's query; of a name that is there twice the last counts.

    A ``+`` is a ``+`` (RFC 3986, section 3.4): no value of ours holds a blank, and a token may hold a ``+``.
    """
    return {name: _unquoted(value) for name, value in _pairs(path)}


def _pairs(path: str) -> Iterator[tuple[str, str]]:
    """Cut the query into names and values that are still encoded."""
    for pair in path.partition("#")[0].partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        if pair:
            yield _unquoted(name), value


def _unquoted(text: str) -> str:
    return unquote_to_bytes(_bytes(text)).decode(errors="replace")


def channel_name(path: str) -> str | None:
    """Read the channel's name out of ``/ws/consultations/42``; None: it names none.

    Segments are decoded one by one, and one in which a slash was encoded names nothing: it would be read as two.
    """
    path = path.partition("#")[0].partition("?")[0]
    if not path.startswith(_CHANNELS):
        return None
    decoded: list[str] = []
    for encoded in path.removeprefix(_CHANNELS).split("/"):
        segment = _segment(encoded)
        if segment is None:
            return None
        decoded.append(segment)
    return "/".join(decoded) or None


def _segment(encoded: str) -> str | None:
    try:
        text = unquote_to_bytes(_bytes(encoded)).decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() and "/" not in text else None


def _quoted(text: str) -> str:
    return escape(repr(text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."))


def _refuse(status: int, what: str, hint: str, headers: Headers | None = None) -> Refusal:
    return Refusal(status, f"{what}\nhint: {hint}", headers if headers is not None else Headers())
