"""The errors of a fetch: the source's, and the broker's, which names the token."""

from __future__ import annotations

from wscli.core.events import Failure
from wscli.errors import AuthError

__all__ = ["SourceFailed", "TokenFailed"]


class TokenFailed(AuthError):
    """A token could not be fetched; ``failure`` is of kind TOKEN, and its text names the token."""

    def __init__(self, failure: Failure, hint: str | None = None) -> None:
        super().__init__(failure.text, hint or "see its source under 'tokens:' in the file")
        self.failure = failure


class SourceFailed(Exception):
    """A source failed; ``text`` is one lower-case line without secrets, which the broker prefixes with the token."""

    def __init__(self, text: str, *, retry_after: float | None = None, refused: bool = False) -> None:
        """``retry_after`` is in seconds; ``refused``: the server refused the tokens that this fetch used."""
        super().__init__(text)
        self.text = text
        self.retry_after = retry_after
        self.refused = refused
