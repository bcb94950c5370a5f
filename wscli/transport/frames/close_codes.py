"""The end of a connection as a ``Failure`` (RFC 6455, section 7)."""

from __future__ import annotations

import os
import ssl

from websockets.frames import CLOSE_CODE_EXPLANATIONS, EXTERNAL_CLOSE_CODES, Close, CloseCode

from wscli.core.failures import Failure, FailureKind
from wscli.net.tls import tls_words

__all__ = [
    "CloseCode", "NO_CLOSE", "NO_CODE", "SENDABLE_CODES", "Violation", "close_payload", "cut_reason", "dropped",
    "failed", "lost", "peer_closed", "we_closed",
]  # fmt: skip

NO_CODE = 1005
"""A close frame without a code."""
NO_CLOSE = 1006
"""No close frame."""
SENDABLE_CODES = frozenset((*EXTERNAL_CLOSE_CODES, *range(3000, 5000)))
"""Codes that a close frame may carry (RFC 6455, section 7.4)."""
_MAX_REASON = 123

_MEANINGS = {**CLOSE_CODE_EXPLANATIONS, 1000: "normal closure", NO_CODE: "no code given", 1007: "invalid data"}

_KINDS = {1002: FailureKind.VIOLATION, 1007: FailureKind.VIOLATION, 1009: FailureKind.TOO_BIG}
"""The kinds of failure by the code that we close with."""


class Violation(Exception):
    """The server violated the protocol; the connection is closed with ``code`` (RFC 6455, section 7.1.7)."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


def cut_reason(reason: str) -> str:
    """Shorten a reason to 123 bytes of UTF-8, the limit of a close frame."""
    return reason.encode()[:_MAX_REASON].decode(errors="ignore")


def close_payload(code: int, reason: str) -> bytes:
    """Serialise the payload of a close frame; a reason that is too long is cut."""
    return b"" if code == NO_CODE else Close(code, cut_reason(reason)).serialize()


def _described(code: int, reason: str) -> str:
    return f"{code} {reason or _MEANINGS.get(code, '')}".rstrip()


def peer_closed(code: int, reason: str, fault: Violation | None = None) -> Failure:
    """The server closed; the reason is remote text. ``fault`` is the rule that the close frame breaks."""
    said = _described(code, reason) if fault is None else f"{code} {reason}".rstrip() + f" ({fault.text})"
    return _closed(f"closed by the server: {said}", code, "peer", reason)


def we_closed(sent: int, answer: tuple[int, str] | None) -> Failure:
    """We closed; ``answer`` is the server's close frame, if any."""
    if answer is None:
        return _closed(f"closed by us with {sent}, not answered by the server", NO_CLOSE, "us")
    code, reason = answer
    return _closed(f"closed by us: {_described(code, reason)}", code, "us", reason)


def failed(violation: Violation) -> Failure:
    """We closed for a violation."""
    kind = _KINDS.get(violation.code, FailureKind.CLOSE)
    text = f"closed by us: {_described(violation.code, violation.text)}"
    return Failure(kind, text, code=violation.code, by="us")


def dropped() -> Failure:
    """We dropped the connection without a close frame."""
    return _closed("dropped by us", NO_CLOSE, "us")


def lost(error: Exception | None) -> Failure:
    """The TCP connection ended without a close frame; without an error, the server closed it."""
    if error is None:
        return _closed("the server closed the connection without a close frame", NO_CLOSE, "peer")
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        return _closed("the server reset the connection", NO_CLOSE, "peer")
    if isinstance(error, ssl.SSLError):  # its number is OpenSSL's
        return _closed(f"TLS failed: {tls_words(error) or type(error).__name__}", NO_CLOSE, "none")
    why = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else type(error).__name__
    return _closed(f"the connection broke: {why}", NO_CLOSE, "none")


def _closed(text: str, code: int, by: str, reason: str = "") -> Failure:
    return Failure(FailureKind.CLOSE, text, code=code, by=by, close_reason=reason)
