"""Origins are compared as RFC 6454 has it, and a redirect never leaves one."""

from __future__ import annotations

import pytest

from wscli.net.origin import Host, Origin, origin_of, parse_host, parse_origin, redirect_target


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("API.example.com.", Host("api.example.com", None)),
        ("localhost:80", Host("localhost", 80)),
        ("[0:0::1]:443", Host("::1", 443)),
        ("a b", None),
        ("h:65536", None),
        ("[::g]", None),
        ("hä", None),
        ("", None),
    ],
)
def test_a_host_is_read_with_its_port_or_refused(text: str, host: Host | None) -> None:
    assert parse_host(text) == host


def test_the_default_port_is_part_of_an_origin() -> None:
    assert parse_origin("HTTPS://h") == parse_origin("https://h:443") == Origin("https", "h", 443)
    assert parse_origin("null") is None
    assert origin_of("wss://bücher.example/x") == origin_of("https://xn--bcher-kva.example:443")


@pytest.mark.parametrize(
    ("url", "location", "target"),
    [
        ("ws://h/a/b", "other?x=1", "ws://h/a/other?x=1"),
        ("wss://h/a", "https://H:443/b", "wss://h/b"),
        ("wss://h:443/a", "wss://h/b", "wss://h:443/b"),
        ("http://me:pw@h/a", "/b#c", "http://me:pw@h/b"),
        ("http://h/a?x", "?y", "http://h/a?y"),
        ("http://h/a", "http://h", "http://h/"),
        ("http://h/a", "https://h/b", None),
        ("http://h/a", "http://h:81/b", None),
        ("http://h/a", "//other/b", None),
        ("http://h/a", "http://h:x/b", None),
        ("http://h/a", "http://[::1/b", None),
        ("http://h/a", "javascript:1", None),
        ("http://h/a", "ftp://h/", None),
        ("http://h/a", "file:///etc/passwd", None),
    ],
)
def test_a_redirect_stays_at_its_origin(url: str, location: str, target: str | None) -> None:
    assert redirect_target(url, location) == target
