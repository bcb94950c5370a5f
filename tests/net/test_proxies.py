"""Which proxy is used, and that its credentials are not shown."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from wscli.net.proxies import ProxySettings, ProxyText, proxy_for
from wscli.tokens.failed import SourceFailed

adapter: TypeAdapter[object] = TypeAdapter(ProxyText)


def chosen(environ: dict[str, str], scheme: str = "https", host: str = "api.example.com:443") -> str | None:
    return proxy_for("auto", scheme, host, environ)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"https_proxy": "http://a:1"}, "http://a:1"),
        ({"HTTPS_PROXY": "http://a:1"}, "http://a:1"),
        ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, "http://a:1"),
        ({"http_proxy": "http://a:1"}, None),
        ({"all_proxy": "a:1"}, "http://a:1"),
        ({"https_proxy": "", "all_proxy": "http://a:1"}, "http://a:1"),
        ({"https_proxy": "http://a:1", "no_proxy": "example.com"}, None),
        ({"https_proxy": "http://a:1", "no_proxy": ".example.com"}, None),
        ({"https_proxy": "http://a:1", "no_proxy": "*.Example.com, x"}, None),
        ({"https_proxy": "http://a:1", "NO_PROXY": "api.example.com:443"}, None),
        ({"https_proxy": "http://a:1", "no_proxy": "api.example.com:80"}, "http://a:1"),
        ({"https_proxy": "http://a:1", "no_proxy": "ple.com,,"}, "http://a:1"),
        ({"https_proxy": "http://a:1", "no_proxy": "*"}, None),
    ],
)
def test_auto_follows_the_environment(environ: dict[str, str], expected: str | None) -> None:
    assert chosen(environ) == expected


def test_a_cgi_programs_request_header_is_no_proxy() -> None:
    environ = {"HTTP_PROXY": "http://evil:1"}
    assert chosen(environ, "http", "a:80") == "http://evil:1"
    assert chosen({**environ, "REQUEST_METHOD": "GET"}, "http", "a:80") is None


def test_an_environment_that_names_a_socks_proxy_is_refused_instead_of_passed_by() -> None:
    with pytest.raises(SourceFailed, match="no http:// or https:// URL") as caught:
        chosen({"all_proxy": "socks5://me:hunter2@a:1"})
    assert "hunter2" not in caught.value.text


def test_none_ignores_the_environment() -> None:
    assert proxy_for("none", "https", "a:443", {"https_proxy": "http://a:1"}) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        ("http://u:p@proxy:3128", "http://u:p@proxy:3128"),
        ({"url": "http://proxy:3128", "username": "me@x", "password": "a/b"}, "http://me%40x:a%2Fb@proxy:3128"),
        ({"url": "http://proxy", "username": "me"}, "http://me@proxy"),
    ],
)
def test_a_url_and_its_credentials_are_joined(value: object, expected: str) -> None:
    setting = adapter.validate_python(value)
    assert isinstance(setting, ProxySettings)
    assert proxy_for(setting, "https", "a:443", {"https_proxy": "http://other:1", "no_proxy": "*"}) == expected
    assert "a/b" not in repr(setting)
    assert adapter.validate_python(setting) is setting


@pytest.mark.parametrize(
    "value", ["socks5://a:1", "proxy:3128", "http://", "http://a:x", "http://[", {"url": "ftp://a"}]
)
def test_another_kind_of_proxy_is_refused_at_load(value: object) -> None:
    with pytest.raises(ValidationError, match="a token's proxy is 'auto', 'none', or a URL"):
        adapter.validate_python(value)
