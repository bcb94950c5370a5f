"""Short-lived tokens: ``POST /ws-token`` issues one, and every upgrade needs one."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

__all__ = ["TokenDesk"]


class TokenDesk:
    """The tokens that are valid now. ``life`` is in seconds."""

    def __init__(self, life: float, now: Callable[[], float] = time.monotonic) -> None:
        self._life = life
        self._now = now
        self._expiry: dict[str, float] = {}

    def issue(self) -> dict[str, object]:
        """Make a token: the body of the answer to ``POST /ws-token``."""
        now = self._now()
        self._expiry = {token: expiry for token, expiry in self._expiry.items() if expiry > now}
        token = secrets.token_urlsafe(18)
        self._expiry[token] = now + self._life
        return {"token": token, "expires_in": self._life}

    def refusal(self, token: str | None) -> str | None:
        """Say why a token is refused; None where it is valid."""
        if not token:
            return "a token is required"
        expiry = self._expiry.get(token)
        if expiry is None:
            return "this token is unknown or revoked"
        return "this token has expired" if expiry <= self._now() else None

    def revoke_all(self) -> None:
        """Make every token invalid."""
        self._expiry.clear()
