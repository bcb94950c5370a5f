"""Short-lived tokens: issued, checked at the upgrade, revoked together."""

from __future__ import annotations

import secrets

from wscli.clock import Clock

__all__ = ["TokenDesk"]


class TokenDesk:
    """All tokens that are valid now.

    ``requests`` counts what asked for one, refused requests included; ``issued`` those that got one.
    """

    def __init__(self, life: float, clock: Clock) -> None:
        self.requests = 0
        self.issued = 0
        self._life = life
        self._clock = clock
        self._expiry: dict[str, float] = {}

    def issue(self) -> dict[str, object]:
        """Make a token: the body of the answer to ``POST /ws-token``."""
        now = self._clock.monotonic()
        self._expiry = {token: expiry for token, expiry in self._expiry.items() if expiry > now}
        token = secrets.token_urlsafe(18)
        self._expiry[token] = now + self._life
        self.issued += 1
        return {"token": token, "expires_in": self._life}

    def refusal(self, token: str | None) -> str | None:
        """Say why a token does not open the door; None where it does."""
        if not token:
            return "a token is required"
        expiry = self._expiry.get(token)
        if expiry is None:
            return "this token is unknown or revoked"
        return "this token has expired" if expiry <= self._clock.monotonic() else None

    def revoke_all(self) -> int:
        """Make every token invalid, and say how many there were."""
        count = len(self._expiry)
        self._expiry.clear()
        return count
