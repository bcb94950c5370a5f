"""The ``tokens:`` section: the source of each token, and the keys that all sources share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from wscli.net.http import RequestFailed
from wscli.net.retry_after import capped
from wscli.templates import TemplateError
from wscli.tokens.answer import OAUTH_READ, ReadSettings, read_answer
from wscli.tokens.errors import SourceFailed
from wscli.tokens.fetcher import FetchContext, SourceAnswer, TokenFetcher
from wscli.tokens.sources.command import CommandField, CommandSource
from wscli.tokens.sources.env import Env, EnvSource
from wscli.tokens.sources.file import File, FileSource
from wscli.tokens.sources.http import HttpSource
from wscli.tokens.sources.oauth2 import OAuth2Source
from wscli.tokens.sources.value import Value, ValueSource
from wscli.values import Duration, Flag, Percent, StrictModel

__all__ = ["SOURCES", "TokenSource", "changed_sources"]

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
    command: Annotated[
        CommandField | None, Field(description="a program that prints the token, [PROGRAM, ARGUMENT...]")
    ] = None
    value: Annotated[Value | None, Field(description="the token itself, or text around {token.other}")] = None
    oauth2: Annotated[OAuth2Source | None, Field(description="an OAuth 2 token endpoint")] = None

    read: Annotated[
        ReadSettings | None,
        Field(
            description="where a JSON answer holds the token and its expiry; without it, the whole answer is the token"
        ),
    ] = None
    refresh: Annotated[Percent, Field(description="of its life: from then on a use fetches the next one")] = 0.8
    expires_in: Annotated[
        Duration | None, Field(gt=0, description="the token's life, where the answer does not say it")
    ] = None
    single_use: Annotated[Flag, Field(description="true: each use fetches a token of its own")] = False
    retry_after_max: Annotated[
        Duration | None, Field(gt=0, description="a longer Retry-After is cut to this; without it, none is")
    ] = None
    remember: Annotated[
        Flag, Field(description="with oauth2, true: keep a rotated refresh token in the state directory")
    ] = False

    @model_validator(mode="after")
    def _one_source(self) -> TokenSource:
        given = [key for key in SOURCES if getattr(self, key) is not None]
        if len(given) != 1:
            what = f"given: {', '.join(given)}" if given else "none is given"
            raise ValueError(f"a token must have exactly one of {', '.join(SOURCES)}; {what}")
        if self.remember and (self.oauth2 is None or not self.oauth2.rotates):
            raise ValueError("remember must stand beside oauth2 with a refresh_token")
        return self

    @property
    def source(self) -> TokenFetcher:
        """The declared source."""
        found: TokenFetcher = next(getattr(self, key) for key in SOURCES if getattr(self, key) is not None)
        return found

    @property
    def local(self) -> bool:
        """Whether a fetch asks no other program: it reads a file, the environment or the text itself."""
        return self.env is not None or self.file is not None or self.value is not None

    def references(self) -> frozenset[str]:
        """Give the names of the other tokens that this one needs."""
        return self.source.references()

    async def fetch(self, context: FetchContext) -> SourceAnswer:
        """Fetch once, and find the token in the answer.

        Raises:
            SourceFailed: the fetch failed, or the answer contains no valid token.
            TokenFailed: another token that this one needs could not be fetched.
        """
        try:
            answer = await self.source.fetch(context)
        except TemplateError as error:
            raise SourceFailed(str(error)) from None
        except RequestFailed as error:
            retry_after = capped(error.retry_after, self.retry_after_max)
            raise SourceFailed(error.text, retry_after=retry_after, refused=error.refused) from None
        life = self.expires_in if answer.expires_in is None else answer.expires_in
        read = self.read or (OAUTH_READ if self.oauth2 is not None else None)
        # RFC 6749, section 5.1, only recommends expires_in; a path that the file names must be in the answer.
        token, seconds = read_answer(
            answer.text.reveal(), read, life, context.clock.wall(), must_say=self.read is not None
        )
        return SourceAnswer(token, seconds, answer.made_of)


def changed_sources(old: Mapping[str, TokenSource], new: Mapping[str, TokenSource]) -> frozenset[str]:
    """Give the tokens whose source changed, or is made with one that did."""
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    while more := {name for name, source in new.items() if name not in changed and source.references() & changed}:
        changed |= more
    return frozenset(changed)
