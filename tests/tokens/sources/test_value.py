"""``value:`` is the token itself, or text around others."""

from __future__ import annotations

import pytest

from wscli.tokens.errors import SourceFailed, TokenFailed
from wscli.tokens.fetcher import FetchContext
from wscli.tokens.models import TokenSource


async def test_a_literal_never_ends(context: FetchContext) -> None:
    fetched = await TokenSource.model_validate({"value": "abc"}).fetch(context)
    assert (fetched.text.reveal(), fetched.expires_in, fetched.made_of) == ("abc", None, {})


async def test_expires_in_gives_it_an_end(context: FetchContext) -> None:
    assert (await TokenSource.model_validate({"value": "abc", "expires_in": "5m"}).fetch(context)).expires_in == 300


async def test_text_around_others_ends_with_the_first_of_them(context: FetchContext) -> None:
    source = TokenSource.model_validate({"value": "{token.other}:{token.second:base64}", "expires_in": "5m"})
    fetched = await source.fetch(context)
    assert fetched.text.reveal() == "other-value:c2Vjb25kLXZhbHVl"
    assert fetched.expires_in == 50
    assert fetched.made_of == {"other": 7, "second": 7}


async def test_what_cannot_be_had_or_filled_is_an_error(context: FetchContext) -> None:
    with pytest.raises(TokenFailed, match="token 'broken'"):
        await TokenSource.model_validate({"value": "{token.broken}"}).fetch(context)
    with pytest.raises(SourceFailed, match=r"the value of '\{token.other:int\}' does not fit its filter"):
        await TokenSource.model_validate({"value": "{token.other:int}"}).fetch(context)
