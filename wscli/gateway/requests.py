"""Reading a client's request: its channel, its query and its subprotocols; pure. No input makes a function raise."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from websockets.datastructures import Headers

__all__ = ["TOKEN_PREFIX", "channel_name", "offered_subprotocols", "query", "query_pairs", "sent_bytes", "subprotocols"]

TOKEN_PREFIX = "wscli.token."  # noqa: S105 - a prefix, no secret
"""Prefix of a subprotocol that carries the token."""
_COMPANION = "wscli"
"""Subprotocol that a page offers beside its token, for the answer to choose."""
WEBSOCKETS = "/ws/"
"""Where the paths of channels begin for WebSocket clients."""


def sent_bytes(text: str) -> bytes:
    """Give the bytes as they were sent: ``websockets`` decodes headers as Latin-1, and a path as ASCII."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def subprotocols(headers: Headers) -> list[str]:
    """Give the offered subprotocols in order (RFC 6455, section 11.3.4)."""
    offered = (one.strip(" \t") for value in headers.get_all("Sec-WebSocket-Protocol") for one in value.split(","))
    return [one for one in offered if one]


def offered_subprotocols(headers: Headers) -> tuple[list[str], str | None]:
    """Part the subprotocols meant for the upstream from ours; the second is the one of ours to answer with."""
    offered = subprotocols(headers)
    ours = [one for one in offered if one == _COMPANION or one.startswith(TOKEN_PREFIX)]
    spare = _COMPANION if _COMPANION in ours else next(iter(ours), None)
    return [one for one in offered if one not in ours], spare


def query(path: str) -> dict[str, str]:
    """Read a request's query; the last value of a name applies.

    A ``+`` stays a ``+`` (RFC 3986, section 3.4): a token may hold one, and no value holds a blank.
    """
    return {name: _unquoted(value) for name, value in query_pairs(path)}


def query_pairs(path: str) -> Iterator[tuple[str, str]]:
    """Give the query's names, decoded, and values, still encoded."""
    for pair in path.partition("#")[0].partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        if pair:
            yield _unquoted(name), value


def _unquoted(text: str) -> str:
    return unquote_to_bytes(sent_bytes(text)).decode(errors="replace")


def channel_name(path: str, prefix: str = WEBSOCKETS) -> str | None:
    """Read the channel's name from a path such as ``/ws/consultations/42``; None where it is invalid.

    Each segment is decoded by itself, and must not hold an encoded slash, which would make two of one.
    """
    path = path.partition("#")[0].partition("?")[0]
    if not path.startswith(prefix):
        return None
    try:
        segments = [unquote_to_bytes(sent_bytes(one)).decode() for one in path.removeprefix(prefix).split("/")]
    except UnicodeDecodeError:
        return None
    valid = all(one.isprintable() and "/" not in one for one in segments)
    return "/".join(segments) or None if valid else None
