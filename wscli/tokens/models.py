"""The ``tokens:`` section: one source a token, and what is common to all sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from wscli.templates import TemplateError
from wscli.tokens.failed import SourceFailed
from wscli.tokens.fetch import FetchContext, Fetched, Source
from wscli.tokens.read import OAUTH_READ, Read, read_answer
from wscli.tokens.sources.command import Command, CommandSource
from wscli.tokens.sources.env import Env, EnvSource
from wscli.tokens.sources.file import File, FileSource
from wscli.tokens.sources.http import HttpSource
from wscli.tokens.sources.oauth2 import OAuth2Source
from wscli.tokens.sources.value import Value, ValueSource
from wscli.values import Duration, Flag, Percent, StrictModel

__all__ = ["SOURCES", "TokenSource", "changed_sources", "find_cycle"]

SOURCES: dict[str, type] = {
    "http": HttpSource,
    "env": EnvSource,
    "file": FileSource,
    "command": CommandSource,
    "value": ValueSource,
    "oauth2": OAuth2Source,
}
"""Every source by its key; a field of ``TokenSource`` belongs to each."""


class TokenSource(StrictModel):
    """Where a token comes from, and how long it lives."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in SOURCES]})

    http: Annotated[HttpSource | None, Field(description="a request whose answer holds the token")] = None
    env: Annotated[Env | None, Field(description="a variable of the manager's environment")] = None
    file: Annotated[File | None, Field(description="a file of at most 64 KiB, read anew at each fetch")] = None
    command: Annotated[Command | None, Field(description="a program that prints the token, [PROGRAM, ARGUMENT...]")] = (
        None
    )
    value: Annotated[Value | None, Field(description="the token itself, or text around {token.other}")] = None
    oauth2: Annotated[OAuth2Source | None, Field(description="an OAuth 2 token endpoint")] = None

    read: Annotated[
        Read | None,
        Field(
            description="where a JSON answer holds the token and its expiry; without it, the whole answer is the token"
        ),
    ] = None
    refresh: Annotated[Percent, Field(description="of its life: from then on a use fetches the next one")] = 0.8
    expires_in: Annotated[
        Duration | None, Field(gt=0, description="the token's life, where the answer does not say it")
    ] = None
    single_use: Annotated[Flag, Field(description="true: each use fetches a token of its own")] = False

    @model_validator(mode="after")
    def _one_source(self) -> TokenSource:
        given = [key for key in SOURCES if getattr(self, key) is not None]
        if len(given) != 1:
            what = f"not {' and '.join(given)}" if given else "and this token has none"
            raise ValueError(f"a token has exactly one of {', '.join(SOURCES)}, {what}")
        return self

    @property
    def source(self) -> Source:
        """The declared source."""
        found: Source = next(getattr(self, key) for key in SOURCES if getattr(self, key) is not None)
        return found

    def references(self) -> frozenset[str]:
        """The names of the tokens that this one needs."""
        return self.source.references()

    async def fetch(self, context: FetchContext) -> Fetched:
        """Fetch once, and find the token in the answer.

        Raises:
            SourceFailed: the fetch failed, or the answer has no usable token.
            TokenFailed: a token that this one needs could not be fetched.

        """
        try:
            answer = await self.source.fetch(context)
        except TemplateError as error:
            raise SourceFailed(str(error)) from None
        life = self.expires_in if answer.expires_in is None else answer.expires_in
        read = self.read or (OAUTH_READ if self.oauth2 is not None else None)
        # RFC 6749, section 5.1, only recommends expires_in; where the file names a path, the answer must have it.
        token, seconds = read_answer(
            answer.text.reveal(), read, life, context.clock.wall(), must_say=self.read is not None
        )
        return Fetched(token, seconds, answer.made_of)


def find_cycle(sources: Mapping[str, TokenSource]) -> tuple[str, ...] | None:
    """Give tokens that need one another in a circle, with the first repeated at the end; else None."""
    cleared: set[str] = set()

    def follow(name: str, way: tuple[str, ...]) -> tuple[str, ...] | None:
        if name in way:
            return (*way[way.index(name) :], name)
        if name in cleared or name not in sources:
            return None
        found = next(filter(None, (follow(other, (*way, name)) for other in sorted(sources[name].references()))), None)
        cleared.add(name)
        return found

    return next(filter(None, (follow(name, ()) for name in sources)), None)


def changed_sources(old: Mapping[str, TokenSource], new: Mapping[str, TokenSource]) -> frozenset[str]:
    """Give the tokens whose source changed, or is made with one that did."""
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    while more := {name for name, source in new.items() if name not in changed and source.references() & changed}:
        changed |= more
    return frozenset(changed)
