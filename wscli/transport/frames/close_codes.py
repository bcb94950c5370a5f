"""The end of a connection as a ``Failure`` (RFC 6455, section 7)."""

from __future__ import annotations

import os
import re

from websockets.frames import CLOSE_CODE_EXPLANATIONS, EXTERNAL_CLOSE_CODES

from wscli.core.events import Failure, FailureKind

__all__ = [
    "NO_CLOSE", "NO_CODE", "Violation", "cut_reason", "dropped", "failed", "find_bad_close", "heard_close",
    "http_text", "lost", "peer_closed", "read_close", "refused_close", "we_closed",
]  # fmt: skip

NO_CODE = 1005
"""A close frame without a code."""
NO_CLOSE = 1006
"""No close frame."""
_MAX_REASON = 123
_MAX_CONTROL = 125
"""Bytes in a control frame (RFC 6455, section 5.5)."""
_HTTP = re.compile(rb"HTTP/1\.[01] [1-5][0-9]{2}[^\r\n]{0,80}")
_CLOSE_HEAD = re.compile(rb"(?=\x88(?:([\x01-\x7d])|\x7e(..)))", re.DOTALL)
"""Ahead of any byte, since what looks like a head may end within the real one."""

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


def _described(code: int, reason: str) -> str:
    return f"{code} {reason or _MEANINGS.get(code, '')}".rstrip()


def read_close(payload: bytes) -> tuple[int, str, Violation | None]:
    """Give code and reason of a close frame, and the rule that it breaks (RFC 6455, sections 5.5.1 and 7.4)."""
    if not payload:
        return NO_CODE, "", None
    if len(payload) == 1:
        return NO_CODE, "", Violation(1002, "a close frame of 1 byte")
    code, said = int.from_bytes(payload[:2], "big"), payload[2:]
    reason, fault = cut_reason(said.decode(errors="replace")), None
    if len(payload) > _MAX_CONTROL:
        fault = Violation(1002, f"a close reason of {len(said)} bytes")
    elif code not in EXTERNAL_CLOSE_CODES and not 3000 <= code <= 4999:
        fault = Violation(1002, f"invalid close code {code}")
    elif not _is_utf8(said):
        fault = Violation(1007, "a close reason that is not UTF-8")
    return code, reason, fault


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def find_bad_close(data: bytes) -> bytes | None:
    """Give the payload of a close frame that breaks the rules, in received data; HTTP text looks like one."""
    if found := _HTTP.search(data):
        return data[found.start() + 2 :]
    for head in _CLOSE_HEAD.finditer(data):
        length = int.from_bytes(head[1] or head[2], "big")
        begin = head.start() + (2 if head[1] else 4)
        payload = data[begin : begin + length]
        if len(payload) == length and read_close(payload)[2] is not None:
            return payload
    return None


def http_text(payload: bytes) -> Failure | None:
    """Say that HTTP text stands where a frame should begin: a balancer writes its own answer, and closes.

    As a frame, ``HT`` is the head of a close frame; ``payload`` is what follows it.
    """
    found = _HTTP.match(b"HT" + payload)
    if found is None:
        return None
    text = found[0].decode("latin-1")
    return _closed(f"HTTP text inside the stream, as a balancer writes it: {text}", NO_CLOSE, "peer")


def refused_close(payload: bytes, sent: int | None) -> Failure:
    """Describe a close frame that a parser refused; HTTP text looks like one. ``sent`` is our close code before it."""
    return http_text(payload) or heard_close(sent, *read_close(payload))


def heard_close(sent: int | None, code: int, reason: str, fault: Violation | None = None) -> Failure:
    """Describe the end after a close frame of the server; ``sent`` is our close code before it."""
    return peer_closed(code, reason, fault) if sent is None else we_closed(sent, (code, reason))


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
    why = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else type(error).__name__
    return _closed(f"the connection broke: {why}", NO_CLOSE, "none")


def _closed(text: str, code: int, by: str, reason: str = "") -> Failure:
    return Failure(FailureKind.CLOSE, text, code=code, by=by, close_reason=reason)
