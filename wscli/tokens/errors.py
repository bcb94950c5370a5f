"""The errors of a fetch: the source's, and the broker's, which names the token."""

from __future__ import annotations

from wscli.core.events import Failure
from wscli.errors import AuthError
from wscli.net.http import RequestFailed

__all__ = ["SourceFailed", "TokenFailed"]


class TokenFailed(AuthError):
    """A token could not be fetched; ``failure`` is of kind TOKEN, and its text names the token."""

    def __init__(self, failure: Failure, hint: str | None = None) -> None:
        super().__init__(failure.text, hint or "see its source under 'tokens:' in the file")
        self.failure = failure


class SourceFailed(RequestFailed):
    """A source failed; the broker names the token in front of ``text``."""
