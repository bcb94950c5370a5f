"""Which proxy applies: declared, or of the environment."""

from __future__ import annotations

import pytest

from wscli.net.proxy import ProxySettings, parse_proxy, proxy_url
from wscli.values import Secret


def chosen(
    environ: dict[str, str], scheme: str = "https", host: str = "api.example.com", port: int = 443
) -> str | None:
    return proxy_url("auto", scheme, host, 443, environ)


@pytest.mark.parametrize(
    ("scheme", "environ", "expected"),
    [
        ("https", {}, None),
        ("https", {"https_proxy": "http://a:1"}, "http://a:1"),
        ("https", {"HTTPS_PROXY": "http://a:1"}, "http://a:1"),
        ("https", {"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, "http://a:1"),
        ("https", {"http_proxy": "http://a:1"}, None),
        ("https", {"all_proxy": "a:1"}, "http://a:1"),
        ("https", {"https_proxy": "", "all_proxy": "http://a:1"}, "http://a:1"),
        ("ws", {"ws_proxy": "http://a:1", "all_proxy": "http://b:1"}, "http://a:1"),
        ("ws", {"https_proxy": "http://a:1", "http_proxy": "http://b:1"}, "http://a:1"),
        ("ws", {"http_proxy": "http://a:1"}, "http://a:1"),
        ("ws", {"wss_proxy": "http://a:1"}, None),
        ("wss", {"https_proxy": "http://a:1", "socks_proxy": "socks5://b:1"}, "socks5://b:1"),
        ("wss", {"http_proxy": "http://a:1"}, None),
        ("wss", {"ALL_PROXY": "socks://a:1"}, "socks://a:1"),
    ],
)
def test_auto_follows_the_environment(scheme: str, environ: dict[str, str], expected: str | None) -> None:
    assert chosen(environ, scheme) == expected


@pytest.mark.parametrize(
    ("no_proxy", "host", "exempt"),
    [
        ("example.com", "api.example.com", True),
        (".example.com", "api.example.com", True),
        ("*.Example.com, x", "API.example.com", True),
        ("other.test api.example.com", "api.example.com.", True),
        ("api.example.com:443", "api.example.com", True),
        ("api.example.com:80", "api.example.com", False),
        ("ple.com,,", "api.example.com", False),
        ("*", "api.example.com", True),
        ("127.0.0.0/8", "127.1.2.3", True),
        ("127.0.0.0/8", "api.example.com", False),
        ("10.0.0.0/99,nonsense/", "10.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1:443", "127.0.0.1", True),
        ("0.0.1", "127.0.0.1", False),
        ("::1", "::1", True),
        ("[::1]", "::1", True),
        ("[::1]:443", "::1", True),
        ("[::1]:80", "::1", False),
        ("fd00::/8", "fd00::2", True),
        ("127.0.0.0/8", "::1", False),
        ("::1", "0:0::1", True),
        ("FD00::/8", "fd00::2", True),
        ("fe80::/10", "fe80::1%eth0", True),
        ("fe80::1", "fe80::1%eth0", True),
        ("10.0.0.0/8", "::ffff:10.1.2.3", True),
        ("::ffff:10.1.2.3", "10.1.2.3", True),
        ("api.example.com.", "api.example.com", True),
        ("my_service", "my_service", True),
        ("b\u00fccher.example", "shop.xn--bcher-kva.example", True),
        ("xn--bcher-kva.example", "xn--bcher-kva.example", True),
        ("\u2615", "api.example.com", False),
    ],
)
def test_no_proxy_lists_hosts_domains_networks_and_ports(no_proxy: str, host: str, exempt: bool) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        assert (chosen({"https_proxy": "http://a:1", name: no_proxy}, host=host) is None) is exempt


def test_a_request_header_of_a_cgi_program_is_not_a_proxy() -> None:
    environ = {"HTTP_PROXY": "http://evil:1"}
    assert chosen(environ, "http") == "http://evil:1"
    assert chosen({**environ, "REQUEST_METHOD": "GET"}, "http") is None


def test_a_declared_proxy_or_none_ignores_the_environment() -> None:
    environ = {"https_proxy": "http://other:1", "no_proxy": "*"}
    assert proxy_url("none", "https", "a", 443, environ) is None
    settings = ProxySettings(url=Secret("http://proxy:1"), username=Secret("me@x"), password=Secret("a/b"))
    assert proxy_url(settings, "https", "a", 443, environ) == "http://me%40x:a%2Fb@proxy:1"
    assert "a/b" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port"),
    [
        ("http://proxy.example", "http", "proxy.example", 80),
        ("HTTPS://Proxy.Example:8443/", "https", "proxy.example", 8443),
        ("socks://p", "socks4", "p", 1080),
        ("socks5h://[2001:DB8::1]:9050", "socks5h", "2001:db8::1", 9050),
        ("socks5://[fe80::1%25eth0]", "socks5", "fe80::1%eth0", 1080),
        ("socks4a://b\u00fccher.example", "socks4a", "xn--bcher-kva.example", 1080),
    ],
)
def test_a_proxy_is_read_in_every_written_form(url: str, scheme: str, host: str, port: int) -> None:
    found = parse_proxy(url.replace("://", "://us%40er:p%3Ass@"))
    assert (found.scheme, found.host, found.port) == (scheme, host, port)
    assert (found.username, found.password) == ("us@er", "p:ss")
    assert parse_proxy(url).username is None


@pytest.mark.parametrize("url", ["http://", "http://h:x", "http://h:0", "ftp://s3cret@h", "s3cret", "http://[h"])
def test_an_invalid_proxy_is_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match=r"its (URL|scheme)") as caught:
        parse_proxy(url)
    assert "s3cret" not in str(caught.value)
