"""The beginning of the body of an HTTP answer, as people read it: why a server refused the upgrade."""

from __future__ import annotations

import re
import zlib

from wscli.transport.dial.response import ResponseHead

__all__ = ["MAX_BODY", "first_line", "read_body"]

MAX_BODY = 300
"""Bytes of a body that are kept."""
_MAX_LINE = 160
"""Characters of its first line."""
_TAG = re.compile(r"<(style|script)\b.*?(?:</\1>|$)|<!--.*?(?:-->|$)|<[^>]*(?:>|$)", re.DOTALL | re.IGNORECASE)


def read_body(head: ResponseHead, data: bytes) -> tuple[str, bool]:
    """Give the body's first ``MAX_BODY`` bytes as text, as far as received, and whether they are complete."""
    length = head.get("content-length") or ""
    if head.status in (204, 304) or length.strip() == "0":
        return "", True
    if "chunked" in (token.lower() for token in head.tokens("transfer-encoding")):
        body, complete = _unchunked(data)
    else:
        limit = min(int(length), MAX_BODY) if length.isdecimal() and len(length) < 10 else MAX_BODY
        body, complete = data[:limit], len(data) >= limit
    if head.tokens("content-encoding"):  # not asked for
        body = _inflated(body)
    return body[:MAX_BODY].decode(errors="replace").strip(), complete


def _unchunked(data: bytes) -> tuple[bytes, bool]:
    """Join the chunks (RFC 9112, section 7.1)."""
    body = b""
    while len(body) < MAX_BODY:
        line, end, rest = data.partition(b"\n")
        try:
            size = int(line.partition(b";")[0].strip() or b"x", 16)
        except ValueError:
            return body, bool(end)
        if not end:
            return body, False
        if size <= 0:
            return body, True
        body += rest[:size]
        if len(rest) < size:
            break
        data = rest[size:].removeprefix(b"\r").removeprefix(b"\n")
    return body[:MAX_BODY], len(body) >= MAX_BODY


def _inflated(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=47).decompress(body, MAX_BODY)  # gzip, or zlib
    except zlib.error:
        return b""


def first_line(body: str) -> str:
    """Give the first line of a body; of HTML, of its text; JSON over several lines is one line."""
    if body.startswith(("{", "[")):
        return " ".join(body.split())[:_MAX_LINE]
    text = _TAG.sub("\n", body) if body.startswith("<") else body
    return next((line.strip() for line in text.splitlines() if line.strip()), "")[:_MAX_LINE]
