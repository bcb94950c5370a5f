"""``env:`` reads the environment that the manager was started with."""

from __future__ import annotations

import pytest

from wscli.tokens.errors import SourceFailed
from wscli.tokens.fetcher import FetchContext
from wscli.tokens.sources.env import EnvSource


async def test_the_variable_is_read_at_each_fetch(context: FetchContext) -> None:
    environ = {"API_TOKEN": "one"}
    context.environ = environ
    assert (await EnvSource("API_TOKEN").fetch(context)).text.reveal() == "one"
    environ["API_TOKEN"] = "two"
    assert (await EnvSource("API_TOKEN").fetch(context)).text.reveal() == "two"


async def test_an_unset_variable_is_named(context: FetchContext) -> None:
    with pytest.raises(SourceFailed, match="the environment variable 'API_TOKEN' is not set"):
        await EnvSource("API_TOKEN").fetch(context)
