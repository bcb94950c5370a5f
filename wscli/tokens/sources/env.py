"""``env: NAME``: a variable of the manager's environment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import PlainValidator, WithJsonSchema

from wscli.tokens.errors import SourceFailed
from wscli.tokens.fetcher import FetchContext, SourceAnswer, TokenFetcher
from wscli.values import Secret, shown

__all__ = ["Env", "EnvSource"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class EnvSource(TokenFetcher):
    """A variable of the environment that the manager was started with."""

    name: str

    async def fetch(self, context: FetchContext) -> SourceAnswer:
        """Read it."""
        value = context.environ.get(self.name)
        if value is None:
            raise SourceFailed(f"the environment variable '{self.name}' is not set")
        return SourceAnswer(Secret(value))


def _parse(value: object) -> EnvSource:
    if isinstance(value, EnvSource):
        return value
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"invalid name of an environment variable: {shown(value)}; write env: API_TOKEN")
    return EnvSource(str(value))


Env = Annotated[
    EnvSource, PlainValidator(_parse), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"})
]
