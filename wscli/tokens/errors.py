"""The errors of a fetch: the source's, and the broker's, which names the token."""

from __future__ import annotations

import math

from wscli.core.failures import Failure
from wscli.errors import AuthError
from wscli.net.http import RequestFailed
from wscli.values import format_duration

__all__ = ["SourceFailed", "TokenFailed"]


class TokenFailed(AuthError):
    """A token could not be fetched.

    ``failure`` is of kind TOKEN, and its text names the token; ``retry_after`` is in how many seconds its source is
    asked again.
    """

    def __init__(self, failure: Failure, hint: str | None = None) -> None:
        left = failure.retry_after
        text = f"{failure.text}; asked again in {format_duration(math.ceil(left))}" if left else failure.text
        super().__init__(text, hint or "see its source under 'tokens:' in the file")
        self.failure = failure


class SourceFailed(RequestFailed):
    """A source failed; the broker names the token in front of ``text``."""
