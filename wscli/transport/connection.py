"""The interface of the transport: ``open_connection(target, listener, timeline) -> Connection``.

Two adapters implement it, ``websockets`` and picows; one conformance suite runs on both.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from wscli.core.failures import Failure
from wscli.errors import WscliError
from wscli.net.proxy import ProxyChoice

__all__ = [
    "Connection",
    "ConnectionListener",
    "DialError",
    "DialStep",
    "DialTarget",
    "DialTimeline",
    "RenderMessage",
    "UpgradeExchange",
    "WrittenAtOnce",
]


@dataclass(frozen=True, slots=True, repr=False)
class DialTarget:
    """The parameters of one dial, with every template filled; no repr, because they hold secrets."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()
    compression: str = "deflate"
    tls: ssl.SSLContext | None = None
    """Set for wss://, None for ws://."""
    server_name: str | None = None
    proxy: ProxyChoice = "auto"
    connect_to: str | None = None
    """``HOST:PORT`` or ``unix:PATH``, in place of the URL's host and port; ``Host`` and TLS stay the URL's."""
    max_message: int = 1 << 20
    timeout: float = 10.0
    """Seconds for DNS, TCP, proxy, TLS and upgrade together."""
    label: str | None = None
    """The server's name in messages where host and port must not be shown; None: ``host:port``."""
    shown: str = ""
    """The URL without secrets, for ``doctor``."""
    shown_proxy: str | None = None
    """The declared proxy's URL without secrets; None: it is the environment's, if any."""


@dataclass(frozen=True, slots=True)
class DialStep:
    """One step of a dial: ``dns``, ``tcp``, ``proxy``, ``tls`` or ``upgrade``, with its duration and result."""

    name: str
    seconds: float
    detail: str
    ok: bool = True


@dataclass(slots=True, repr=False)
class UpgradeExchange:
    """A request to upgrade and its answer, for ``doctor``; no repr, since the answer may hold secrets."""

    url: str
    """Without secrets."""
    proxy: str | None = None
    """The proxy that it goes through, without secrets."""
    headers: tuple[str, ...] = ()
    """The names of the request's headers."""
    subprotocols: tuple[str, ...] = ()
    extensions: str | None = None
    """What was offered, as the header names it."""
    status: int | None = None
    """Of the answer; None: there was none."""
    phrase: str = ""
    answer: tuple[tuple[str, str], ...] = ()
    """The headers of the answer, with names in lower case."""
    body: str = ""
    """The beginning of the body of a refusal."""


@dataclass(slots=True)
class DialTimeline:
    """The steps of an attempt, for ``doctor``."""

    steps: list[DialStep] = field(default_factory=list)
    exchanges: list[UpgradeExchange] = field(default_factory=list)
    """One for each URL that was dialled: several after redirects."""
    peer: str | None = None
    """The address and port of the connection."""
    addresses: tuple[str, ...] = ()
    """The resolved IP addresses of the server, or of its proxy."""
    host: str = field(default="", repr=False)
    """The resolved name; it may contain a secret."""
    route: tuple[str, str] | None = None
    """The IP addresses of the connection: ours, and that of the server or its proxy."""

    def add(self, name: str, seconds: float, detail: str, *, ok: bool = True) -> None:
        """Record the end of a step."""
        self.steps.append(DialStep(name, seconds, detail, ok))


class DialError(WscliError):
    """The dial failed; ``failure`` says where and why, without secrets."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class ConnectionListener(Protocol):
    """The callbacks of a connection, in the loop's thread, none after ``on_end``."""

    def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Handle the messages of one turn of the loop, in order, 256 KiB at most (or one larger message).

        Text is valid UTF-8. ``kinds`` is None when all are text, else one byte a message: ``t`` or ``b``.
        """

    def on_end(self, failure: Failure) -> None:
        """Handle the end: kind CLOSE with its code (1006 without a close frame, 1005 without a code)."""


RenderMessage = Callable[[], tuple[bytes, bool]]
"""Gives a message's payload, and whether it is binary."""


WrittenAtOnce = bool | Callable[[], Awaitable[None]]
"""False: nothing was written, since the message has to wait. True: the kernel has taken it.

Else it was written, and the function waits until the kernel has taken it; it raises OutcomeUnknown where the connection
ended before.
"""


class Connection(Protocol):
    """An open connection."""

    adapter: str
    """``websockets`` or ``picows``."""
    subprotocol: str | None

    async def send(self, payload: bytes, *, binary: bool, timeout: float | None = None) -> None:
        """Send one message within ``timeout`` seconds.

        Raises:
            NotSent: nothing was written: the connection was closed, or messages before this one took too long.
            OutcomeUnknown: the connection or the time ended before the kernel had taken every byte.
        """

    async def send_rendered(self, render: RenderMessage, *, timeout: float | None = None) -> None:
        """Send one message that is rendered when it is written; else as ``send``.

        Raises:
            NotSent: as for ``send``; or ``render`` raised it.
            OutcomeUnknown: as for ``send``.
        """

    def try_send(self, render: RenderMessage) -> WrittenAtOnce:
        """Render and write one message at once, unless messages before it wait.

        Raises:
            NotSent: the connection was closed; or ``render`` raised it.
        """

    async def ping(self) -> float:
        """Send a ping, wait for its pong without a deadline, and return the seconds between.

        Raises:
            NotSent: the connection is no longer open.
        """

    async def close(self, code: int = 1000, reason: str = "", *, deadline: float = 1.0) -> None:
        """Send a close frame, wait at most ``deadline`` seconds for the answer, then abort.

        ``on_end`` is called before this returns.
        """

    def abort(self) -> None:
        """Drop the TCP connection at once; ``on_end`` follows."""

    def pause_reading(self) -> None:
        """Stop reading from the socket; pings are not answered meanwhile."""

    def resume_reading(self) -> None:
        """Resume reading."""
