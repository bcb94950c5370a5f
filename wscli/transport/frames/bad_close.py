"""Close frames that break a rule but still close the connection, and HTTP text that looks like a close frame."""

from __future__ import annotations

import re

from wscli.core.failures import Failure, FailureKind
from wscli.transport.frames.batch import is_utf8
from wscli.transport.frames.close_codes import NO_CLOSE, NO_CODE, SENDABLE_CODES, Violation, cut_reason

__all__ = ["find_bad_close", "http_text", "read_close"]

_MAX_CONTROL = 125
"""Bytes in a control frame (RFC 6455, section 5.5)."""
_HTTP = re.compile(rb"HTTP/1\.[01] [1-5][0-9]{2}[^\r\n]{0,80}")
_CLOSE_HEAD = re.compile(rb"(?=\x88(?:([\x01-\x7d])|\x7e(..)))", re.DOTALL)
"""A lookahead: bytes that look like a head may overlap the real one."""


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
    elif code not in SENDABLE_CODES:
        fault = Violation(1002, f"invalid close code {code}")
    elif not is_utf8(said):
        fault = Violation(1007, "a close reason that is not UTF-8")
    return code, reason, fault


def find_bad_close(data: bytes) -> bytes | None:
    """Find a close frame that breaks a rule, or HTTP text that looks like one, in received data; give its payload."""
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
    text = f"HTTP text inside the stream, as a balancer writes it: {text}"
    return Failure(FailureKind.CLOSE, text, code=NO_CLOSE, by="peer")
