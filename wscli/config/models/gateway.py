"""``gateway:``, the local HTTP and WebSocket server: where it listens, and who may connect."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo, WithJsonSchema

from wscli.config.models.fields import TEXT_SCHEMA, SecretText, Text, base_of, expand_home, require_text
from wscli.config.models.upstream import KeepaliveOf
from wscli.net.hosts import UNIX
from wscli.net.origin import parse_host, parse_origin
from wscli.values import Count, Secret, Size, StrictModel, shown

__all__ = ["MOST_CLIENTS", "GatewayAuth", "GatewayPlan", "Listen"]

MOST_CLIENTS = 256

_LONGEST_PATH = 103
"""Bytes of a Unix socket's path; the least of what systems take (macOS, ``sys/un.h``)."""
_DIGITS = re.compile(r"[0-9.]+")
_FORMS = "write HOST:PORT, [IPV6]:PORT or unix:PATH"


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the gateway listens: a host and a port, or the path of a Unix socket."""

    host: str = "127.0.0.1"
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"{UNIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _parse_listen(text: str, base: Path) -> Listen:
    if text.startswith(UNIX) and text != UNIX:
        path = base / expand_home(text.removeprefix(UNIX))
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise ValueError(f"a Unix socket's path, with the directories above, has {_LONGEST_PATH} bytes at most")
        return Listen(path=path)
    host = parse_host(text)
    if host is None or host.port is None:
        near = "; 0.0.0.0 is every address" if re.fullmatch(r"\*?:[0-9]+", text) else ""
        raise ValueError(f"{_FORMS}{near}")
    if _DIGITS.fullmatch(host.name):
        try:
            IPv4Address(host.name)
        except ValueError:
            raise ValueError(_FORMS) from None
    return Listen(host.name, host.port)


def _listen(value: object, info: ValidationInfo) -> Listen:
    if isinstance(value, Listen):
        return value
    text = str(require_text(value))
    try:
        return _parse_listen(text, base_of(info))
    except ValueError as error:
        raise ValueError(f"invalid address to listen at: {shown(value)}; {error}") from None


def _token(secret: Secret) -> Secret:
    text = secret.reveal()
    if not text:
        raise ValueError("the token is empty; `openssl rand -hex 16` makes one")
    if any(not "!" <= sign <= "~" for sign in text):
        raise ValueError("the token holds a blank, a control character or one beyond ASCII; no header could carry it")
    return secret


def _origin(text: str) -> str:
    """Check an origin; ``null`` is what browsers send for sandboxed pages and local files."""
    lower = text.lower()
    origin = parse_origin(lower)
    if origin is None and lower != "null":
        near = "; '*' would let every page in" if text == "*" else ""
        raise ValueError(
            f"invalid origin: {shown(text)}; write SCHEME://HOST or SCHEME://HOST:PORT, without a path{near}"
        )
    if origin is not None and origin.scheme in ("ws", "wss"):
        raise ValueError(f"invalid origin: {shown(text)}; did you mean http{origin.scheme[2:]}://?")
    return lower


def _host(text: str) -> str:
    host = parse_host(text.lower())
    if host is None or host.port == 0:
        near = "; an IPv6 address stands in brackets" if text.count(":") > 1 and "/" not in text else ""
        raise ValueError(f"invalid host: {shown(text)}; write NAME or NAME:PORT{near}")
    return text.lower()


class GatewayAuth(StrictModel):
    """What clients must know."""

    token: Annotated[
        SecretText,
        AfterValidator(_token),
        Field(description="what they give by header, by query or by subprotocol; a secret"),
    ]


_TEXTS = {"type": "array", "items": TEXT_SCHEMA, "minItems": 1}


class GatewayPlan(StrictModel):
    """A local HTTP and WebSocket server, through which other programs and pages use the channels."""

    listen: Annotated[
        tuple[Annotated[Listen, PlainValidator(_listen)], ...],
        BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
        WithJsonSchema({"anyOf": [TEXT_SCHEMA, _TEXTS]}),
        Field(
            min_length=1,
            description="HOST:PORT, [IPV6]:PORT or unix:PATH (relative to this file), or a list of these",
            json_schema_extra={"default": "127.0.0.1:8787"},
        ),
    ] = (Listen(port=8787),)
    auth: Annotated[
        Literal["none"] | GatewayAuth,
        Field(description="{token: TEXT}, or none: every program of this machine may read and send"),
    ]
    origins: Annotated[
        tuple[Annotated[Text, AfterValidator(_origin)], ...],
        Field(description="origins of pages that may connect, beside its own, such as http://localhost:3000"),
    ] = ()
    hosts: Annotated[
        tuple[Annotated[Text, AfterValidator(_host)], ...],
        Field(description="names that it may be asked by, NAME or NAME:PORT, beside the addresses it listens at"),
    ] = ()
    max_clients: Annotated[
        Count,
        Field(
            ge=1,
            description="clients with the token at a time, and own upstreams of clients; one more is answered with 503",
        ),
    ] = MOST_CLIENTS
    max_message: Annotated[
        Size,
        Field(ge=1, description="of a client's message; a larger one closes that client with 1009, or a POST gets 413"),
    ] = 1 << 20
    max_header: Annotated[Size, Field(ge=1024, description="of a request's line and headers together")] = 16 << 10
    keepalive: Annotated[
        KeepaliveOf | None,
        Field(
            description="pings to its WebSocket clients, {ping: DURATION, timeout: DURATION}, or none;"
            " default: 20s each; clients of a channel are pinged as often as its endpoint, where that is more often"
        ),
    ] = None

    @property
    def token(self) -> Secret | None:
        """What clients must know; None where the file says ``auth: none``."""
        return self.auth.token if isinstance(self.auth, GatewayAuth) else None
