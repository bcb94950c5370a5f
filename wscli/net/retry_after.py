"""The ``Retry-After`` header (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

__all__ = ["parse_retry_after"]

_MAX_WAIT = 86400.0 * 7


def parse_retry_after(text: str | None, wall: float) -> float | None:
    """Give the seconds to wait, from a number or an HTTP date; a past date gives 0.0, invalid text None.

    The result is at most a week. Decimals, which some servers send and the RFC does not allow, are accepted.
    """
    if text is None:
        return None
    text = text.strip()
    if re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,9})?", text):
        return min(float(text), _MAX_WAIT)
    try:
        moment = parsedate_to_datetime(text)
        # Every HTTP date is in GMT, although one of its three forms does not say so (RFC 9110, section 5.6.7).
        until = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(until - wall, 0.0), _MAX_WAIT)
