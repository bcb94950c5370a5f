"""The proxy of a token source is a word, or a URL that HTTP requests can go through."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from wscli.net.proxy import ProxySettings
from wscli.tokens.field_types import ProxyText

adapter: TypeAdapter[object] = TypeAdapter(ProxyText)


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://u:p@proxy:3128", "http://u:p@proxy:3128"),
        ({"url": "http://proxy:3128", "username": "me@x", "password": "a/b"}, "http://me%40x:a%2Fb@proxy:3128"),
        ({"url": "http://proxy", "username": "me"}, "http://me@proxy"),
        ("socks5h://proxy:1080", "socks5h://proxy:1080"),
        ({"url": "socks4://[::1]:1080", "username": "me"}, "socks4://me@[::1]:1080"),
    ],
)
def test_a_url_and_its_credentials_are_joined_and_a_word_stays_a_word(value: object, url: str) -> None:
    assert [adapter.validate_python(word) for word in ("auto", "none")] == ["auto", "none"]
    settings = adapter.validate_python(value)
    assert isinstance(settings, ProxySettings)
    assert settings.full_url() == url
    assert "a/b" not in repr(settings)
    assert adapter.validate_python(settings) is settings


@pytest.mark.parametrize(
    "value", ["socks6://a:1", "proxy:3128", "http://", "http://a:x", "http://[", "http://a b", {"url": "ftp://a"}]
)
def test_another_kind_of_proxy_is_refused_at_load(value: object) -> None:
    with pytest.raises(ValidationError, match="must be 'auto', 'none', or a URL"):
        adapter.validate_python(value)
