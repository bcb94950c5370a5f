"""What a valid file comes to: every channel resolved against its endpoint, references checked, templates compiled.

The daemon works from these and never sees YAML. Two plans are compared by ``reload``: the fields of ``Dial`` are
connection keys (a change redials) but for its ``timeout``, the other fields of ``ChannelPlan`` are policy keys (applied
in place).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from wscli.backfill.models import BackfillModel
from wscli.core.backoff import BackoffPolicy
from wscli.core.verdicts import VerdictTable
from wscli.history.limits import HistoryLimits
from wscli.templates import PathTemplate, Template
from wscli.templates.paths import JsonPath
from wscli.tokens.models import TokenSource
from wscli.values import Rate, Secret

__all__ = ["ChannelPlan", "Dial", "Keepalive", "Plan", "ProxyPlan", "Rotate", "TlsPlan"]


@dataclass(frozen=True, slots=True)
class TlsPlan:
    """TLS beyond the system's defaults; the paths are absolute."""

    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    key_password: Secret | None = None
    server_name: str | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class ProxyPlan:
    """How to reach the server: ``auto`` follows the environment, ``none`` dials directly, ``url`` uses that proxy."""

    mode: Literal["auto", "none", "url"] = "auto"
    url: Secret | None = None
    """The proxy's URL with username and password merged in."""


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Protocol pings: one every ``ping`` seconds, answered within ``timeout`` seconds. ``ping`` None: no pings."""

    ping: float | None = 20.0
    timeout: float = 20.0


@dataclass(frozen=True, slots=True)
class Rotate:
    """When a ready connection is replaced without being closed first; in seconds, and the earlier counts."""

    before_expiry: float | None = None
    """So long before the first of its tokens expires."""
    max_age: float | None = None
    """So long after it became ready, or up to a tenth sooner."""


@dataclass(frozen=True, slots=True)
class HookPlan:
    """A command that is run for an event, which it reads as JSON on stdin."""

    exec: tuple[str, ...]
    """The program and its arguments, run without a shell where the YAML file is."""
    jq: str | None = None
    """Runs for the messages alone for which this expression is neither false nor null."""
    parallel: int = 1
    """So many at a time; 1 keeps the order."""
    timeout: float = 10.0
    """Seconds, after which it is killed."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the gateway listens: a host and a port, or the path of a Unix socket."""

    host: str = "127.0.0.1"
    port: int = 0
    path: Path | None = None

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class GatewayPlan:
    """The local HTTP and WebSocket face."""

    listen: tuple[Listen, ...]
    token: Secret | None
    """What clients have to know; None only where the file spells out ``auth: none``."""
    origins: tuple[str, ...] = ()
    """Origins of pages that may connect, beside the gateway's own: ``http://localhost:3000``."""
    hosts: tuple[str, ...] = ()
    """Names that it may be asked by, beside its own addresses: ``name`` or ``name:port``."""
    max_clients: int = 256
    max_message: int = 1 << 20
    """Bytes of a message of a client's."""
    max_header: int = 16 << 10
    """Bytes of a request's line and headers."""


@dataclass(frozen=True, slots=True)
class Dial:
    """All that decides how a channel's connection is opened."""

    url: Secret
    """ws:// or wss://, the endpoint's own, with its own query; the channel's path is not yet appended."""
    shown_url: str
    """The same without userinfo and query, and with ``***`` for what came from the environment."""
    path: PathTemplate | None = None
    query: Mapping[str, Template] = ()  # type: ignore[assignment]
    headers: Mapping[str, Template] = ()  # type: ignore[assignment]
    subprotocols: tuple[Template, ...] = ()
    compression: Literal["deflate", "none"] = "deflate"
    tls: TlsPlan = TlsPlan()
    proxy: ProxyPlan = ProxyPlan()
    max_message: int = 1 << 20
    timeout: float = 10.0

    @property
    def token_names(self) -> frozenset[str]:
        """The token sources that its templates name."""
        templates = (*self.query.values(), *self.headers.values(), *self.subprotocols)
        return frozenset(name for template in templates for space, name in template.references if space == "token")

    def opens_the_same(self, other: Dial) -> bool:
        """Whether what the other opened is what this would open: all is equal but how long it may take."""
        return replace(self, timeout=other.timeout) == other


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """One declared channel, or a template of channels when ``params`` is not empty."""

    name: str
    """As declared: ``notifications``, ``consultations/{id}``."""
    params: tuple[str, ...]
    endpoint: str
    dial: Dial
    connect_rate: Rate
    keepalive: Keepalive
    verdicts: tuple[VerdictTable, ...]
    """The channel's, the endpoint's, the file's: the nearest first, empty ones left out."""
    backoff: BackoffPolicy
    history: HistoryLimits
    eager: bool
    critical: bool
    linger: float
    rotate: Rotate | None = None
    dedupe: JsonPath | None = None
    """Where the value is by which a message is told that came before."""
    backfill: BackfillModel | None = None
    """How what was missed in a gap is asked for."""
    on_state: HookPlan | None = None
    on_message: HookPlan | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole file."""

    name: str
    """The instance, ``[a-z0-9_-]{1,32}``."""
    file: Path
    """The file's real path."""
    channels: Mapping[str, ChannelPlan]
    tokens: Mapping[str, TokenSource]
    endpoints: tuple[str, ...] = ()
    """The names of all that are declared, used or not."""
    announce_after: float = 5.0
    gateway: GatewayPlan | None = None
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """What the variables of ``${VAR}`` held: texts that nobody is to see."""
