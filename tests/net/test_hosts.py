"""The host of a URL: each form in which people write a name or an address, and what a resolver gets of it."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.net.hosts import as_address, host_of, parse_place, without_zone


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("api.example.com", "api.example.com"),
        ("API.Example.COM", "api.example.com"),
        ("api.example.com.", "api.example.com."),
        ("my_service", "my_service"),
        ("_sip.example.com", "_sip.example.com"),
        ("-x-.example.com", "-x-.example.com"),
        ("db", "db"),
        ("db.", "db."),
        ("LocalHost.", "localhost"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("B\u00dcCHER.Example", "xn--bcher-kva.example"),
        ("b%C3%BCcher.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("fa\u00df.example", "xn--fa-hia.example"),
        ("\u4f8b\u3048.\u30c6\u30b9\u30c8", "xn--r8jz45g.xn--zckzah"),
        ("\u4f8b\u3048\u3002\u30c6\u30b9\u30c8", "xn--r8jz45g.xn--zckzah"),
        ("\uff41\uff50\uff49.example", "api.example"),
        ("_x.b\u00fccher.example", "_x.xn--bcher-kva.example"),
        ("ex%61mple.com", "example.com"),
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("0x7f.0.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("[::1]", "::1"),
        ("[0:0:0:0:0:0:0:1]", "::1"),
        ("[2001:DB8::A]", "2001:db8::a"),
        ("[fe80::1%25eth0]", "fe80::1%eth0"),
        ("[fe80::1%eth0]", "fe80::1%eth0"),
        ("[fe80::1%252]", "fe80::1%2"),
        ("[FE80::1%25Eth0]", "fe80::1%Eth0"),
        ("", ""),
    ],
)
def test_a_host_is_read_in_every_written_form(written: str, host: str) -> None:
    for url in (f"ws://{written}/x", f"wss://user:pass@{written}:8443/x"):
        assert host_of(urlsplit(url)) == host


@pytest.mark.parametrize("written", ["[::ffff:127.0.0.1]", "[::FFFF:7F00:1]"])
def test_an_ipv4_mapped_address_is_an_ipv6_address_to_a_resolver(written: str) -> None:
    host = host_of(urlsplit(f"ws://{written}/"))
    assert as_address(host) == as_address("127.0.0.1")
    assert ":" in host


@pytest.mark.parametrize(
    "written",
    ["a b", "a%20b", "a%2Fb", "a%40b", "a%00b", "a|b", "999.1.1.1", "0x1.2.3.400", "\u2615.example"],
)
def test_an_invalid_host_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="invalid"):
        host_of(urlsplit(f"ws://{written}/"))


@pytest.mark.parametrize(("host", "seen"), [("fe80::1%eth0", "fe80::1"), ("::1", "::1"), ("a.example", "a.example")])
def test_a_zone_is_not_for_the_server(host: str, seen: str) -> None:
    assert without_zone(host) == seen


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        ("10.0.0.1:8443", "10.0.0.1", 8443),
        ("Back-End_1:80", "back-end_1", 80),
        ("b\u00fccher.example:443", "xn--bcher-kva.example", 443),
        ("[2001:DB8::1]:443", "2001:db8::1", 443),
        ("[fe80::1%25eth0]:443", "fe80::1%eth0", 443),
        ("unix:/run/app.sock", "/run/app.sock", None),
        ("unix:/run/a b@c?d#e", "/run/a b@c?d#e", None),
    ],
)
def test_a_place_is_a_host_with_its_port_or_a_unix_socket(written: str, host: str, port: int | None) -> None:
    assert parse_place(written) == (host, port)


@pytest.mark.parametrize(
    "written",
    [
        *("", "host", "host:", ":80", "host:0", "host:65536", "host:http", "::1:80", "2001:db8::1", "[::1]", "[::1:80"),
        *("user@host:80", "host:80/x", "host:80?x", "ws://host:80", "unix:", f"unix:/{'x' * 107}", "unix:/a\0b"),
    ],
)
def test_what_is_no_place_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_place(written)


@given(st.text() | st.text("0123456789abcx.:%[]-_").map(lambda text: text[:40]))
def test_a_host_that_is_read_is_one_that_a_url_and_a_header_can_carry(text: str) -> None:
    try:
        host = host_of(urlsplit(f"ws://{text}/"))
    except ValueError:
        return
    assert host.isascii()
    assert not set(without_zone(host)) & set(" \r\n\t/?#@[]\\%")
    try:
        written = f"[{host}]" if ":" in host else host
        assert host_of(urlsplit(f"ws://{written}/")) == host
    except ValueError:
        assert "%" in host  # a zone that no URL can carry
