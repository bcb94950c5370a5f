"""``gateway:``, the local HTTP and WebSocket face: where it listens, and whom it lets in."""

from __future__ import annotations

import os
import re
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from wscli.config.context import Context
from wscli.config.nodes import Branch, Entry, Items, Leaf, Node
from wscli.config.plan import GatewayPlan, Listen
from wscli.config.spots import Spot
from wscli.config.text import Text
from wscli.net.origin import parse_host, parse_origin
from wscli.values import Count, Scalar, Secret, Size, StrictModel, shown

__all__ = ["AuthModel", "GatewayModel", "check_gateway", "conceal_token", "gateway_plan"]

DEFAULT_LISTEN = "127.0.0.1:8787"
UNIX = "unix:"
_LONGEST_PATH = 103
"""Bytes of a Unix socket's path; the least of what systems take (macOS, ``sys/un.h``)."""


class AuthModel(StrictModel):
    """What clients have to know."""

    token: Annotated[Text, Field(description="what they give by header, by query or by subprotocol; a secret")]


class GatewayModel(StrictModel):
    """A local HTTP and WebSocket server, through which other programs and pages use the channels."""

    listen: Annotated[
        Text | Annotated[tuple[Text, ...], Field(min_length=1)],
        Field(description="HOST:PORT, [IPV6]:PORT or unix:PATH (relative to this file), or a list of these"),
    ] = DEFAULT_LISTEN
    auth: Annotated[
        Literal["none"] | AuthModel,
        Field(description="{token: TEXT}, or none: every program of this machine may read and send"),
    ]
    origins: Annotated[
        tuple[Text, ...],
        Field(description="origins of pages that may connect, beside its own, such as http://localhost:3000"),
    ] = ()
    hosts: Annotated[
        tuple[Text, ...],
        Field(description="names that it may be asked by, NAME or NAME:PORT, beside the addresses it listens at"),
    ] = ()
    max_clients: Annotated[Count, Field(ge=1, description="clients at a time; one more is answered with 503")] = 256
    max_message: Annotated[
        Size, Field(ge=1, description="of a client's message; a larger one closes that client with 1009")
    ] = 1 << 20
    max_header: Annotated[Size, Field(ge=1024, description="of a request's line and headers together")] = 16 << 10


def conceal_token(root: Branch) -> None:
    """Make a literal token as unprintable as one from the environment, before anything is said of the file."""
    gateway = root.entries.get("gateway")
    if gateway is not None and isinstance(gateway.value, Branch) and "auth" in gateway.value.entries:
        entries = gateway.value.entries
        entries["auth"] = Entry(entries["auth"].key_mark, _concealed(entries["auth"].value))


def _concealed(node: Node) -> Node:
    """Copy it, since an alias may share it with a place where it is no secret."""
    if isinstance(node, Branch):
        entries = {key: Entry(entry.key_mark, _concealed(entry.value)) for key, entry in node.entries.items()}
        return Branch(node.mark, entries, node.size, node.height, node.merges)
    if isinstance(node, Items):
        return Items(node.mark, [_concealed(item) for item in node.items], node.size, node.height)
    if node.is_nothing or node.value in ("", "none"):
        return node
    return Leaf(node.mark, Scalar(str(node.value), plain=False, redacted="***"), node.size, node.height)


def check_gateway(spot: Spot | None, context: Context) -> None:
    """Check what the types do not say of it; what is wrong goes to the context's problems."""
    if spot is None:
        return
    _check_token(spot.get("auth", "token"), context)
    _check_listen(spot.get("listen"), context)
    for key, why_not in (("origins", _why_no_origin), ("hosts", _why_no_host)):
        for item in _texts(spot.get(key), context):
            text = item.text or Scalar("")
            wrong = why_not(text.lower())
            if wrong is not None:
                context.add(item, f"{shown(text)} {wrong}")


def gateway_plan(model: GatewayModel, base: Path) -> GatewayPlan:
    """Resolve what was checked; ``base`` is where the file lies."""
    places = (model.listen,) if isinstance(model.listen, str) else model.listen
    return GatewayPlan(
        listen=tuple(_place(str(text), base) for text in places),
        token=Secret(str(model.auth.token)) if isinstance(model.auth, AuthModel) else None,
        origins=tuple(str(text).lower() for text in model.origins),
        hosts=tuple(str(text).lower() for text in model.hosts),
        max_clients=model.max_clients,
        max_message=model.max_message,
        max_header=model.max_header,
    )


def _texts(spot: Spot | None, context: Context) -> list[Spot]:
    """Give what is text, of a text or a list; of what else is there, the types have spoken."""
    items = () if spot is None else (spot,) if spot.text is not None else spot.items()
    return [item for item in items if item.text is not None and not context.problems.at(item.mark)]


def _check_token(spot: Spot | None, context: Context) -> None:
    if spot is None or spot.text is None or context.problems.at(spot.mark):
        return
    if not spot.text:
        context.add(spot, "the token is empty; `openssl rand -hex 16` makes one")
    elif any(not "!" <= sign <= "~" for sign in spot.text):
        context.add(spot, "the token holds a blank, a control character or one beyond ASCII; no header could carry it")


def _check_listen(spot: Spot | None, context: Context) -> None:
    found: set[Listen] = set()
    for item in _texts(spot, context):
        text = item.text or Scalar("")
        try:
            place = _place(str(text), context.base)
        except ValueError as error:
            context.add(item, f"{shown(text)} {error}")
            continue
        if place in found:
            context.add(item, f"{shown(text)} stands here twice")
        found.add(place)


_DIGITS = re.compile(r"[0-9.]+")
_NONE = "is no place to listen at; it is HOST:PORT, [IPV6]:PORT or unix:PATH"


def _place(text: str, base: Path) -> Listen:
    """Read a place to listen.

    Raises:
        ValueError: it is none, and why, in words that follow the quoted text.

    """
    if text.startswith(UNIX):
        return Listen(path=_path(text.removeprefix(UNIX), base))
    host = parse_host(text)
    if host is None or host.port is None:
        near = "; 0.0.0.0 is every address" if re.fullmatch(r"\*?:[0-9]+", text) else ""
        raise ValueError(f"{_NONE}{near}")
    if _DIGITS.fullmatch(host.name):
        try:
            IPv4Address(host.name)
        except ValueError:
            raise ValueError(_NONE) from None
    return Listen(host.name, host.port)


def _path(text: str, base: Path) -> Path:
    if not text:
        raise ValueError(_NONE)
    try:
        path = base / Path(text).expanduser()
    except RuntimeError:  # no such user
        raise ValueError("begins with a home directory that there is not") from None
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise ValueError(f"is too long for a Unix socket, with the directories above: {_LONGEST_PATH} bytes at most")
    return path


def _why_no_origin(text: str) -> str | None:
    if text == "null":  # what browsers send for sandboxed pages and local files; it is let in where it is declared
        return None
    origin = parse_origin(text)
    if origin is None:
        near = "; '*' would let every page in" if text == "*" else ""
        return f"is no origin; it is SCHEME://HOST or SCHEME://HOST:PORT, without a path{near}"
    if origin.scheme in ("ws", "wss"):
        return f"is no page's origin; did you mean http{origin.scheme[2:]}://?"
    return None


def _why_no_host(text: str) -> str | None:
    host = parse_host(text)
    if host is not None and host.port != 0:
        return None
    near = "; an IPv6 address stands in brackets" if text.count(":") > 1 and "/" not in text else ""
    return f"is no host; it is NAME or NAME:PORT{near}"
