"""What a fetch fails with: a source's own word of it, and the broker's."""

from __future__ import annotations

from wscli.core.events import Failure
from wscli.errors import AuthError

__all__ = ["SourceFailed", "TokenFailed"]


class TokenFailed(AuthError):
    """A token could not be had; ``failure`` is of kind TOKEN, and its text names the token."""

    def __init__(self, failure: Failure, hint: str | None = None) -> None:
        super().__init__(failure.text, hint or "its source stands under 'tokens:' in the file")
        self.failure = failure


class SourceFailed(Exception):
    """A source could not fetch: one lower-case line without secrets, which the broker puts the token's name before."""

    def __init__(self, text: str, *, retry_after: float | None = None, refused: bool = False) -> None:
        """``retry_after`` is in seconds; ``refused`` says that the tokens this fetch was made with were refused."""
        super().__init__(text)
        self.text = text
        self.retry_after = retry_after
        self.refused = refused
