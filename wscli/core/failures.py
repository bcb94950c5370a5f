"""How an attempt failed or a connection ended, and the verdict on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

__all__ = ["MOMENTS", "Action", "Failure", "FailureKind", "Verdict"]

MOMENTS = ("before", "hello", "resume", "subscribe", "rule", "timer", "bye")
"""The parts of a session that may fail, as keys of ``verdicts`` name them: ``session:hello``."""


class FailureKind(StrEnum):
    """Where an attempt or a connection ended; the values appear as reason codes in ``status --json``."""

    DNS = "dns"
    TCP = "tcp"
    PROXY = "proxy"
    TLS = "tls"
    CERTIFICATE = "certificate"
    STATUS = "status"
    """The upgrade was answered with another HTTP status than 101; ``code`` holds it."""
    UPGRADE = "upgrade"
    """An invalid answer: not HTTP, a wrong Sec-WebSocket-Accept, a subprotocol that was not offered."""
    TIMEOUT = "timeout"
    """The deadline of the attempt passed."""
    TOKEN = "token"  # noqa: S105 - the name of a failure, no password
    """A token source failed."""
    CLOSE = "close"
    """The connection ended; ``code`` holds the close code, 1006 without a close frame (RFC 6455, 7.1.5)."""
    KEEPALIVE = "keepalive"
    """No pong arrived in time."""
    VIOLATION = "violation"
    """The server violated the protocol, and we closed; ``code`` holds our close code (RFC 6455, section 7.1.7)."""
    TOO_BIG = "too_big"
    """A message was larger than ``max_message``, and we closed with 1009."""
    SILENCE = "silence"
    """No message arrived in time."""
    HOOK = "hook"
    """The command of ``on_connect`` failed, so that the connection is not ready."""
    SESSION = "session"
    """A step of the session failed, or got no answer in time; ``moment`` says in which part."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed or a connection ended.

    ``text`` is one line for a person, without secrets; remote text in it is escaped where it is printed. ``code`` is an
    HTTP status or a close code. ``retry_after`` is in seconds. ``location`` is the target of a redirect, which may
    contain secrets and is never shown. ``by`` says who closed: ``peer``, ``us`` or ``none``. ``refused`` says that the
    credentials for a token or for a proxy were refused. ``moment`` is one of ``MOMENTS``, and empty outside a session.
    """

    kind: FailureKind
    text: str
    code: int | None = None
    retry_after: float | None = None
    location: str | None = None
    by: str = "none"
    close_reason: str = ""
    refused: bool = False
    moment: str = ""

    @property
    def refuses_credentials(self) -> bool:
        """Whether the server, its proxy or a token source refused the credentials."""
        by_the_server = self.kind in (FailureKind.CLOSE, FailureKind.STATUS)
        return self.refused or (by_the_server and self.code in (401, 403, 3000, 3003, 4401, 4403))


class Action(StrEnum):
    """What a verdict asks for; the values are the words of a configuration file."""

    RETRY = "retry"
    """Dial again after the backoff."""
    RECONNECT = "reconnect"
    """Dial again at once, once per health."""
    REPLACE = "replace"
    """Have the next connection ready before this one closes; limited as ``reconnect`` is."""
    REAUTH = "reauth"
    """Forget the tokens that the attempt used, and dial again at once, once per health."""
    FRESH = "fresh"
    """Forget what a session could be resumed with, and reconnect."""
    DONE = "done"
    """End without an error."""
    STOP = "stop"
    """Fail."""


class Verdict(NamedTuple):
    """An action, and for ``retry`` the least number of seconds to wait.

    ``mends`` says of a ``stop`` that its cause may mend itself, so that the upstream is dialled again later.
    """

    action: Action
    no_sooner: float = 0.0
    mends: bool = False
