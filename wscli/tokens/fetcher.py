"""The interface of a token source: what it gets for a fetch, and what it returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from wscli.clock import Clock
from wscli.net.http import HttpClient
from wscli.templates import Scope
from wscli.tokens.memory import TokenMemory
from wscli.values import Secret

__all__ = ["BrokerToken", "FetchContext", "SourceAnswer", "TokenFetcher"]


@dataclass(frozen=True, slots=True)
class BrokerToken:
    """A token as the broker serves it."""

    value: Secret
    version: int
    """Unique among all tokens of a broker."""
    expires_at: float | None
    """On ``Clock.boottime``; None: unknown or never."""


@dataclass(frozen=True, slots=True)
class SourceAnswer:
    """The answer of a source, in which ``read`` finds the token; or only the token, once it was found."""

    text: Secret
    expires_in: float | None = None
    """Seconds, where the source knows."""
    made_of: Mapping[str, int] = field(default_factory=dict)
    """Name and version of the tokens that this one contains; when it is refused, they are invalidated as well."""


@dataclass(slots=True, repr=False)
class FetchContext:
    """Everything that a fetch may use; no repr, because the environment holds secrets."""

    base: Path
    """The directory that file names are relative to."""
    environ: Mapping[str, str]
    clock: Clock
    http: HttpClient
    token: Callable[[str], Awaitable[BrokerToken]]
    """Gets another token from the broker."""
    memory: TokenMemory = field(default_factory=TokenMemory)
    """What the source keeps for its next fetch."""
    used: dict[str, BrokerToken] = field(default_factory=dict)
    """The other tokens that this fetch used."""

    async def scope(self, names: Iterable[str]) -> Scope:
        """Get the named tokens, for templates.

        Raises:
            TokenFailed: one of them could not be fetched.
        """
        for name in sorted(names):
            self.used[name] = await self.token(name)
        return {"token": {name: token.value.reveal() for name, token in self.used.items()}}

    def secrets(self) -> list[str]:
        """Give the values of the other tokens that this fetch used."""
        return [token.value.reveal() for token in self.used.values()]


class TokenFetcher(Protocol):
    """One way to get a token."""

    async def fetch(self, context: FetchContext) -> SourceAnswer:
        """Fetch once.

        Raises:
            SourceFailed, RequestFailed: the fetch failed.
            TemplateError: the value of another token does not fit its filter.
            TokenFailed: another token that this one needs could not be fetched.
        """

    def references(self) -> frozenset[str]:
        """Give the names of the other tokens that its templates use."""
        return frozenset()
