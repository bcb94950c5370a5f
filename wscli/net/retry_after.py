"""The ``Retry-After`` header (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["parse_retry_after"]

_LONGEST = 86400.0 * 7


def parse_retry_after(text: str | None, wall: float) -> float | None:
    """Give the seconds to wait from now: of a number of seconds, or until an HTTP date.

    A date that has passed is 0.0, nothing is longer than a week, and what is neither form is None. Some servers send
    decimals, which the RFC does not know; to wait as they say undercuts nobody.
    """
    if text is None:
        return None
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,9})?", text):
        return min(float(text), _LONGEST)
    try:
        moment = parsedate_to_datetime(text)
        # All three forms of an HTTP date are in GMT, though one of them does not say so (RFC 9110, section 5.6.7).
        until = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(until - wall, 0.0), _LONGEST)
