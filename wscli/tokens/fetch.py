"""What a source is handed when it fetches, and what it hands back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from wscli.clock import Clock
from wscli.templates import Scope
from wscli.values import Secret

if TYPE_CHECKING:
    from wscli.net.http import HttpClient

__all__ = ["Answer", "FetchContext", "Fetched", "Source", "Token"]


@dataclass(frozen=True, slots=True)
class Token:
    """A token as the broker hands it out."""

    value: Secret
    version: int
    """Of all tokens that a broker ever held, no two have one version."""
    expires_at: float | None
    """On ``Clock.boottime``; None when nothing said that it ends."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source came back with, before ``read`` finds the token in it."""

    text: Secret
    expires_in: float | None = None
    """Seconds; set by a source that knows."""
    made_of: Mapping[str, int] = field(default_factory=dict)
    """Name and version of the tokens that are part of this one: when this one is refused, so are they."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A token, fresh from its source; ``expires_in`` is in seconds from the answer."""

    token: Secret
    expires_in: float | None = None
    made_of: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True, repr=False)
class FetchContext:
    """All that a fetch may use; the environment holds secrets, and so it has no repr."""

    base: Path
    """What file names are relative to."""
    environ: Mapping[str, str]
    clock: Clock
    http: HttpClient
    token: Callable[[str], Awaitable[Token]]
    """Gets another token from the broker."""
    memory: dict[str, Secret] = field(default_factory=dict)
    """What the source wants to remember until its next fetch, such as a rotated refresh token."""
    used: dict[str, Token] = field(default_factory=dict)
    """The other tokens that went into this fetch."""

    async def scope(self, names: Iterable[str]) -> Scope:
        """Get the named tokens, for templates.

        Raises:
            TokenFailed: one of them could not be had.

        """
        for name in sorted(names):
            self.used[name] = await self.token(name)
        return {"token": {name: token.value.reveal() for name, token in self.used.items()}}


class Source(Protocol):
    """One way to come by a token."""

    async def fetch(self, context: FetchContext) -> Answer:
        """Fetch once.

        Raises:
            SourceFailed: it did not work.
            TemplateError: the value of another token does not fit its filter.
            TokenFailed: another token, that this one needs, could not be had.

        """

    def references(self) -> frozenset[str]:
        """The names of the other tokens that its templates hold."""
