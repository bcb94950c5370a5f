"""Where an endpoint connects: its url in every written form, ``connect_to``, Unix sockets, and the oldest TLS."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.conftest import Loads
from wscli.net.tls import TlsSettings
from wscli.values import Secret


@pytest.mark.parametrize(
    "url",
    [
        *("wss://API.Example.com./x", "WSS://api.example.com", "ws://my_service:8080", "ws://db", "ws://127.1"),
        *("wss://b\u00fccher.example/x", "ws://[::1]:80", "ws://[fe80::1%25eth0]", "ws://[fe80::1%eth0]/x"),
    ],
)
def test_a_url_may_name_its_host_in_every_written_form(loads: Loads, url: str) -> None:
    plan = loads(f"endpoints:\n  api: {{url: '{url}'}}\nchannels: {{c: {{endpoint: api}}}}\n")
    dial = plan.channels["c"].upstream.dial
    assert (dial.url.reveal(), dial.connect_to) == (url, None)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("unix:/run/app.sock", "/run/app.sock"),
        ("unix:///run/app.sock", "/run/app.sock"),
        ("unix:run/app.sock", "{base}/run/app.sock"),
        ("unix:~/app.sock", "{home}/app.sock"),
    ],
)
def test_a_unix_socket_stands_for_the_url_or_for_its_host(
    loads: Loads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, path: str
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    path = path.format(base=tmp_path.resolve(), home="/home/me")
    plan = loads(
        f"endpoints:\n  one: {{url: '{written}'}}\n  two: {{url: wss://h/ws, connect_to: '{written}'}}\n"
        "channels: {a: {endpoint: one, path: /feed}, b: {endpoint: two}}\n"
    )
    one, two = (plan.channels[name].upstream.dial for name in "ab")
    assert (one.address({}), one.shown_url, one.connect_to) == (
        "ws://localhost/feed",
        f"unix:{path}",
        Secret(f"unix:{path}"),
    )
    assert (two.address({}), two.shown_url, two.connect_to) == ("wss://h/ws", "wss://h/ws", Secret(f"unix:{path}"))


def test_channels_that_connect_to_different_places_share_no_connection(loads: Loads) -> None:
    plan = loads(
        "endpoints:\n  a: {url: wss://h, connect_to: '[::1]:1'}\n  b: {url: wss://h, connect_to: h2:1}\n"
        "channels: {a: {endpoint: a}, b: {endpoint: b}}\n"
    )
    assert plan.channels["a"].upstream.key({}) != plan.channels["b"].upstream.key({})
    assert plan.warnings == ()


def test_min_version_is_read_with_and_without_quotes(loads: Loads) -> None:
    for text in ("1.3", "'1.3'"):
        plan = loads(
            f"endpoints:\n  api: {{url: wss://h, tls: {{min_version: {text}}}}}\nchannels: {{c: {{endpoint: api}}}}\n"
        )
        assert plan.channels["c"].upstream.dial.tls == TlsSettings(min_version="1.3")
