"""The head of an HTTP answer to an upgrade or to CONNECT.

Parsing is lenient, as RFC 9112 allows it to clients: no phrase, HTTP/1.0, single line feeds, folded and invalid header
lines. ``agreement`` checks an answer of 101.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

from wscli.core.failures import Failure, FailureKind
from wscli.net.origin import REDIRECTS, without_query
from wscli.net.retry_after import parse_retry_after
from wscli.values import format_duration

__all__ = ["HEAD_END", "MAX_HEAD", "ResponseHead", "parse_head", "refusal"]

MAX_HEAD = 1 << 16
"""Bytes of a status line with its headers; most servers send less than 8 KiB."""

HEAD_END = re.compile(rb"\r?\n\r?\n")
"""A single LF ends a line as well (RFC 9112, section 2.2)."""

_STATUS_LINE = re.compile(r"HTTP/1\.[01][ \t]+([1-5][0-9]{2})(?:[ \t]+(.*))?", re.IGNORECASE)
_LINE_END = re.compile(r"\r?\n")
_FOLD = re.compile(r"\r?\n[ \t]+")
_MAX_PHRASE = 100


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """A status, its phrase, and the headers in order, with names in lower case."""

    status: int
    phrase: str
    headers: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str | None:
        """Give the first header of that (lower case) name."""
        return next((value for key, value in self.headers if key == name), None)

    def all(self, name: str) -> tuple[str, ...]:
        """Give every value of that (lower case) name, in order."""
        return tuple(value for key, value in self.headers if key == name)

    def tokens(self, name: str) -> tuple[str, ...]:
        """Give the members of a list header of that (lower case) name, without empty ones (RFC 9110, section 5.6.1)."""
        members = (token.strip() for value in self.all(name) for token in value.split(","))
        return tuple(filter(None, members))

    @property
    def summary(self) -> str:
        """``HTTP 503 Service Unavailable``; the phrase is remote text."""
        return f"HTTP {self.status} {self.phrase}".rstrip()


def parse_head(block: bytes) -> ResponseHead:
    """Parse a head, without the empty line at its end; a folded line is joined (RFC 9112, section 5.2).

    Raises:
        ValueError: it does not begin with a status line of HTTP/1.
    """
    first, *lines = _LINE_END.split(_FOLD.sub(" ", block.decode("latin-1")))
    found = _STATUS_LINE.fullmatch(first.rstrip())
    if not found:
        raise ValueError("no status line")
    pairs = (line.partition(":") for line in lines)
    # each channel keeps those of its last attempt, and most names are the same
    headers = tuple((sys.intern(name.strip().lower()), value.strip()) for name, colon, value in pairs if colon)
    return ResponseHead(int(found[1]), (found[2] or "").strip()[:_MAX_PHRASE], headers)


def refusal(head: ResponseHead, where: str, wall: float, why: str = "") -> Failure:
    """Make the failure of an upgrade that was answered with another status than 101.

    ``wall`` is the current time in seconds since the epoch: a Retry-After may be a date. ``why`` is the first line of
    the body.
    """
    retry_after = parse_retry_after(head.get("retry-after"), wall, head.get("date"))
    text = f"{where} answered the upgrade with {head.summary}"
    if retry_after is not None:
        text += f" with Retry-After {format_duration(retry_after)}"
    location = head.get("location")
    if head.status in REDIRECTS:
        text += f", a redirect to {without_query(location)}" if location else ", a redirect without a target"
    elif why:
        text += f": {why}"
    return Failure(FailureKind.STATUS, text, code=head.status, retry_after=retry_after, location=location)
