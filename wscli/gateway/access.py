"""Access control: Host, Origin and token of a request are all checked, on loopback too; pure.

A web page of an attacker can reach this machine from its own origin, or through a name of the attacker's that resolves
to 127.0.0.1 (DNS rebinding). Origin shows the one, Host the other. No input makes any of these functions raise.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from websockets.datastructures import Headers
from websockets.http11 import Request

from wscli.config.models.gateway import GatewayPlan, Listen
from wscli.control.text import escape
from wscli.gateway.requests import TOKEN_PREFIX, query_pairs, sent_bytes, subprotocols
from wscli.net.origin import DEFAULT_PORTS, Host, Origin, parse_host, parse_origin
from wscli.values import Secret

__all__ = ["Refusal", "admit"]

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound to
_LONGEST_QUOTE = 80


class Refusal(NamedTuple):
    """The answer to a refused request; the text is a line and its ``hint:`` line."""

    status: int
    text: str
    headers: Mapping[str, str] = MappingProxyType({})


def admit(plan: GatewayPlan, listen: Listen, request: Request, *, needs_token: bool) -> Refusal | None:
    """Check a request; None lets it in.

    ``listen`` is the address that accepted the client, with the real port; ``needs_token`` says whether the path does.
    """
    host = _host(plan, listen, request.headers)
    if isinstance(host, Refusal):
        return host
    refusal = _check_origin(plan, request.headers, host)
    if refusal is None and needs_token and plan.token is not None:
        refusal = _check_token(plan.token, request)
    return refusal


def _host(plan: GatewayPlan, listen: Listen, headers: Headers) -> Host | Refusal:
    """Read the Host header, and refuse every name but the gateway's (RFC 9110, sections 7.2 and 7.4)."""
    given = headers.get_all("Host")
    if len(given) != 1:
        what = "there is no Host header" if not given else f"there are {len(given)} Host headers"
        return _refuse(400, what, "a request has one, which names the gateway (RFC 9110, section 7.2)")
    host = parse_host(given[0])
    if host is None:
        hint = "Host must be NAME or NAME:PORT (RFC 9110, section 7.2)"
        return _refuse(400, f"invalid Host: {_quoted(given[0])}", hint)
    if not _is_ours(host, plan, listen):
        hint = "add it to gateway.hosts, if it is a name of this machine"
        return _refuse(421, f"{_quoted(given[0])} is not a name of this gateway", hint)
    return host


def _is_ours(host: Host, plan: GatewayPlan, listen: Listen) -> bool:
    declared = [one for one in map(parse_host, plan.hosts) if one is not None and one.name == host.name]
    if listen.path is not None:  # clients of a Unix socket can only say this, without a port
        return host.name == "localhost" or bool(declared)
    port = _port(host)
    if any(one.port in (None, port) for one in declared):
        return True
    return port == listen.port and host.name in _names(listen.host)


def _port(host: Host) -> int:
    return DEFAULT_PORTS["http"] if host.port is None else host.port


def _names(listened: str) -> frozenset[str]:
    """Give the host names under which clients reach a listening address."""
    name = listened.lower().removesuffix(".")
    try:
        address = ip_address(name)
    except ValueError:
        return _LOOPBACK if name == "localhost" else frozenset({name})
    near = address.is_loopback or str(address) in _EVERYWHERE
    return frozenset({str(address)}) | (_LOOPBACK if near else frozenset())


def _check_origin(plan: GatewayPlan, headers: Headers, host: Host) -> Refusal | None:
    """Refuse pages of other origins; programs send no Origin (RFC 6455, sections 4.2.2 and 10.2)."""
    given = headers.get_all("Origin")
    if not given:
        return None
    hint = "add it to gateway.origins, if this page may connect"
    if len(given) > 1:
        return _refuse(403, f"there are {len(given)} Origin headers", "a request has one, or none")
    if given[0] == "null":  # any sandboxed page or local file
        return None if "null" in plan.origins else _refuse(403, "'null' is not an origin that may connect", hint)
    origin = parse_origin(given[0])
    own = Origin("http", host.name, _port(host))
    if origin is not None and (origin == own or origin in map(parse_origin, plan.origins)):
        return None
    return _refuse(403, f"{_quoted(given[0])} is not an origin that may connect", hint)


def _check_token(token: Secret, request: Request) -> Refusal | None:
    """Refuse a request without a token, or with any wrong token."""
    expected = token.reveal().encode("utf-8", "surrogatepass")
    right = [_equal(given, expected) for given in _tokens(request)]
    # encoded as well: decoding would map several texts to one token
    encoded = base64.urlsafe_b64encode(expected).rstrip(b"=")
    offered = (one for one in subprotocols(request.headers) if one.startswith(TOKEN_PREFIX))
    right += [_equal(sent_bytes(one.removeprefix(TOKEN_PREFIX)), encoded) for one in offered]
    if right and all(right):  # all were compared, so that the time tells nothing
        return None
    hint = "give it as 'Authorization: Bearer TOKEN', as ?token=TOKEN or as a subprotocol"
    what = "the token is wrong" if right else "a token is needed"
    return Refusal(401, f"{what}\nhint: {hint}", {"WWW-Authenticate": "Bearer"})


def _tokens(request: Request) -> Iterator[bytes]:
    """Give every token of the headers (RFC 6750, section 2.1) and the query."""
    for value in request.headers.get_all("Authorization"):
        scheme, _, credentials = value.partition(" ")
        if scheme.lower() == "bearer":
            yield sent_bytes(credentials.strip(" \t"))
    for name, value in query_pairs(request.path):
        if name == "token":
            yield unquote_to_bytes(sent_bytes(value))


def _equal(given: bytes, expected: bytes) -> bool:
    """Compare in constant time, whatever the lengths."""
    return hmac.compare_digest(hashlib.sha256(given).digest(), hashlib.sha256(expected).digest())


def _quoted(text: str) -> str:
    return escape(repr(text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."))


def _refuse(status: int, what: str, hint: str) -> Refusal:
    return Refusal(status, f"{what}\nhint: {hint}")
