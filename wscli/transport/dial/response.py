"""The head of an HTTP answer that refuses an upgrade or a tunnel.

Parsing is lenient (no phrase, HTTP/1.0, odd header lines), because only the status decides. An answer of 101 is checked
by the library instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wscli.core.events import Failure, FailureKind
from wscli.net.retry_after import parse_retry_after
from wscli.values import format_duration

__all__ = ["MAX_HEAD", "ResponseHead", "parse_head", "refusal"]

MAX_HEAD = 1 << 16
"""Bytes of a status line with its headers; most servers send less than 8 KiB."""

_STATUS_LINE = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: (.*))?")
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

    @property
    def summary(self) -> str:
        """``HTTP 503 Service Unavailable``; the phrase is remote text."""
        return f"HTTP {self.status} {self.phrase}".rstrip()


def parse_head(block: bytes) -> ResponseHead:
    """Parse a head, without the empty line at its end.

    Raises:
        ValueError: it does not begin with a status line of HTTP/1.
    """
    first, *lines = block.decode("latin-1").split("\r\n")
    found = _STATUS_LINE.fullmatch(first)
    if not found:
        raise ValueError("no status line")
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.strip().lower(), value.strip()) for name, colon, value in pairs if colon)
    return ResponseHead(int(found[1]), (found[2] or "").strip()[:_MAX_PHRASE], headers)


def refusal(head: ResponseHead, where: str, wall: float) -> Failure:
    """Make the failure of an upgrade that was answered with another status than 101.

    ``wall`` is the current time in seconds since the epoch: a Retry-After may be a date.
    """
    retry_after = parse_retry_after(head.get("retry-after"), wall, head.get("date"))
    text = f"{where} answered the upgrade with {head.summary}"
    if retry_after is not None:
        text += f" with Retry-After {format_duration(retry_after)}"
    return Failure(FailureKind.STATUS, text, code=head.status, retry_after=retry_after, location=head.get("location"))
