"""The ``Retry-After`` header (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["capped", "parse_retry_after"]

_MAX_WAIT = 86400.0 * 366


def capped(seconds: float | None, most: float | None) -> float | None:
    """Give a wait that a server asked for, cut to ``retry_after_max`` where the file has one."""
    return seconds if seconds is None or most is None else min(seconds, most)


def parse_retry_after(text: str | None, wall: float, date: str | None = None) -> float | None:
    """Give the seconds to wait, from a number or an HTTP date; a past date gives 0.0, invalid text None.

    A date counts from the answer's own ``date``, where it has one, since the clocks may differ; else from ``wall``. The
    result is at most a year. Decimals, which some servers send and the RFC does not allow, are accepted.
    """
    if text is None:
        return None
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,9})?", text):
        return min(float(text), _MAX_WAIT)
    until, now = _seconds(text), None if date is None else _seconds(date)
    return None if until is None else min(max(until - (wall if now is None else now), 0.0), _MAX_WAIT)


def _seconds(date: str) -> float | None:
    """Give an HTTP date in seconds since the epoch.

    Every one is in GMT, although one of its three forms does not say so (RFC 9110, section 5.6.7).
    """
    try:
        moment = parsedate_to_datetime(date.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
