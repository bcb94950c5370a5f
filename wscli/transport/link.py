"""The transport as the rest of the manager sees it: ``open_link(target, listener, timeline) -> Link``.

Two adapters stand behind it, ``websockets`` and picows; one conformance suite runs on both.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Protocol

from wscli.core.events import Failure
from wscli.errors import WscliError
from wscli.net.proxy import ProxyChoice

__all__ = ["DialError", "Link", "Listener", "Step", "Target", "Timeline"]


@dataclass(frozen=True, slots=True, repr=False)
class Target:
    """One dial, with every template filled: it holds secrets, and so has no repr."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    subprotocols: tuple[str, ...] = ()
    compression: str = "deflate"
    tls: ssl.SSLContext | None = None
    """Set for wss://, None for ws://."""
    server_name: str | None = None
    proxy: ProxyChoice = "auto"
    max_message: int = 1 << 20
    timeout: float = 10.0
    """Seconds for all of DNS, TCP, proxy, TLS and upgrade together."""
    label: str | None = None
    """What texts call the server where its host and port must not be shown; None: ``host:port``."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a dial: ``dns``, ``tcp``, ``proxy``, ``tls``, ``upgrade``; how long it took, and what it found."""

    name: str
    seconds: float
    detail: str
    ok: bool = True


@dataclass(slots=True)
class Timeline:
    """The steps of an attempt, for ``doctor``."""

    steps: list[Step] = field(default_factory=list)
    peer: str | None = None
    """The address and port that were reached."""
    addresses: tuple[str, ...] = ()
    """The IP addresses that the dial may go to: the server's, or its proxy's."""

    def add(self, name: str, seconds: float, detail: str, *, ok: bool = True) -> None:
        """Note that a step ended."""
        self.steps.append(Step(name, seconds, detail, ok))


class DialError(WscliError):
    """The dial failed; ``failure`` says where and why, without secrets."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class Listener(Protocol):
    """What a link calls back, always in the loop's thread, and never after ``on_end``."""

    def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Messages that arrived in one turn of the loop, in order, 256 KiB at most (or one larger message).

        Text is checked UTF-8. ``kinds`` is None when all are text, else one byte a message: ``t`` or ``b``.
        """

    def on_end(self, failure: Failure) -> None:
        """The connection is over: kind CLOSE with its code (1006 without a close frame, 1005 for an empty one)."""


class Link(Protocol):
    """An open connection."""

    adapter: str
    """``websockets`` or ``picows``."""
    subprotocol: str | None

    async def send(self, payload: bytes, *, binary: bool, timeout: float | None = None) -> None:
        """Hand one message over, within ``timeout`` seconds.

        Raises:
            NotSent: the connection was no longer open, or the message's turn did not come in time: nothing was written.
            OutcomeUnknown: it ended, or the time was up, after the message was written and before the write buffer took
                it.

        """

    async def ping(self) -> float:
        """Send a ping, await its pong, and return the seconds between; it may never return, so bound it.

        Raises:
            NotSent: the connection is no longer open.

        """

    async def close(self, code: int = 1000, reason: str = "", *, deadline: float = 1.0) -> None:
        """Send a close frame, wait for the answer ``deadline`` seconds at most, then abort. It never takes longer.

        ``on_end`` is called before it returns.
        """

    def abort(self) -> None:
        """Drop the TCP connection at once; ``on_end`` follows."""

    def pause_reading(self) -> None:
        """Stop reading from the socket; pings go unanswered as well."""

    def resume_reading(self) -> None:
        """Read on."""
