"""Access: which requests are let in, how the others are refused, and that no request makes a check raise."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.datastructures import Headers
from websockets.http11 import Request

from wscli.config.models.gateway import GatewayAuth, GatewayPlan, Listen
from wscli.gateway.access import Refusal, admit
from wscli.values import Secret

TOKEN = "s3cret+token/=="
LISTEN = Listen("127.0.0.1", 8787)
PLAN = GatewayPlan(
    listen=(LISTEN,),
    auth=GatewayAuth(token=Secret(TOKEN)),
    origins=("http://localhost:3000", "https://app.example", "chrome-extension://abcdef"),
    hosts=("dev.example.test", "fixed.example.test:9000", "[fd00::1]"),
)
OWN = ("Host", "127.0.0.1:8787")
BEARER = ("Authorization", f"Bearer {TOKEN}")
UNCHECKED = GatewayAuth.model_construct
LET_IN = Refusal(200, "")


def other(**changes: Any) -> GatewayPlan:
    """Change the plan, unchecked."""
    return PLAN.model_copy(update=changes)


class Unchecked(Headers):
    """Headers with values that the library's own parser would have refused."""

    def __setitem__(self, key: str, value: str) -> None:
        self._dict.setdefault(key.lower(), []).append(value)
        self._list.append((key, value))


def carrying(token: str) -> str:
    return "wscli.token." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def asked(
    *headers: tuple[str, str], path: str = "/ws/news", listen: Listen = LISTEN, needs_token: bool = True, **more: Any
) -> Refusal:
    return admit(other(**more), listen, Request(path, Unchecked(headers)), needs_token=needs_token) or LET_IN


def status(*headers: tuple[str, str], **more: Any) -> int:
    return asked(*headers, **more).status


def of_host(host: str, **more: Any) -> int:
    return status(("Host", host), BEARER, **more)


HOSTS: dict[int, list[str]] = {
    200: [
        "127.0.0.1:8787", "localhost:8787", "LocalHost:8787", "localhost.:8787", "[::1]:8787",
        "[0:0:0:0:0:0:0:1]:8787", "dev.example.test", "DEV.Example.Test.:1234", "fixed.example.test:9000",
        "[FD00::1]:8787",
    ],
    421: [
        "evil.example:8787",  # whose name resolves to 127.0.0.1
        "localhost", "localhost:80", "localhost:0", "127.0.0.1:8788", "127.0.0.2:8787",
        "localhost.evil.example:8787", "evil.localhost:8787", "127.0.0.1.evil.example:8787", "fixed.example.test",
        "fixed.example.test:9001", "xdev.example.test", "[::2]:8787", "127.1:8787", "2130706433:8787",
    ],
    400: [
        "", " ", ":8787", "localhost:", "localhost:-1", "localhost:65536", "localhost:8787:8787",
        "localhost:\xb28787", "local host:8787", "me@localhost:8787", "localhost:8787/", "http://localhost:8787",
        "::1:8787", "[::1:8787", "[::g]:8787", "[fe80::1%lo]:8787", "localhost..:8787",
        "localhost:8787, evil.example", "\x00", "\xff" * 300, "a" * 16_000, "a." * 8_000,
    ],
}  # fmt: skip


@pytest.mark.parametrize(("found", "host"), [(found, host) for found, hosts in HOSTS.items() for host in hosts])
def test_a_host_is_let_in_misdirected_or_a_bad_request(found: int, host: str) -> None:
    assert of_host(host) == found


def test_there_is_exactly_one_host() -> None:
    assert status(BEARER) == 400
    assert status(OWN, OWN, BEARER) == 400


def test_a_host_without_a_port_means_port_80() -> None:
    assert of_host("localhost", listen=Listen("127.0.0.1", 80)) == 200
    assert of_host("localhost:80", listen=Listen("127.0.0.1", 80)) == 200


def test_over_a_unix_socket_the_port_is_ignored() -> None:
    listen = Listen(path=Path("/run/gateway.sock"))
    for host in ("localhost", "localhost:1234", "dev.example.test:99", "fixed.example.test"):
        assert of_host(host, listen=listen) == 200, host
    for host in ("127.0.0.1:8787", "evil.example"):
        assert of_host(host, listen=listen) == 421, host


@pytest.mark.parametrize(
    ("listen", "host", "found"),
    [
        ("192.0.2.1", "192.0.2.1:8787", 200),
        ("192.0.2.1", "localhost:8787", 421),
        ("0.0.0.0", "localhost:8787", 200),
        ("::", "127.0.0.1:8787", 200),
        ("0.0.0.0", "192.0.2.1:8787", 421),
        ("127.0.0.2", "127.0.0.2:8787", 200),
        ("127.0.0.2", "localhost:8787", 200),
        ("localhost", "127.0.0.1:8787", 200),
        ("::1", "localhost:8787", 200),
        ("fd00::0:2", "[fd00::2]:8787", 200),
        ("Box.local.", "box.local:8787", 200),
        ("box.local", "localhost:8787", 421),
    ],
)
def test_a_listening_address_is_a_host(listen: str, host: str, found: int) -> None:
    assert of_host(host, listen=Listen(listen, 8787)) == found


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:8787", "http://127.0.0.1:8787"),
        ("localhost:8787", "http://localhost:8787"),
        ("LOCALHOST:8787", "HTTP://localhost:8787"),
        ("[::1]:8787", "http://[0::1]:8787"),
        ("dev.example.test", "http://dev.example.test"),
        ("dev.example.test:80", "http://dev.example.test"),
        ("localhost:8787", "http://localhost:3000"),
        ("localhost:8787", "https://app.example"),
        ("localhost:8787", "https://APP.example:443"),
        ("localhost:8787", "chrome-extension://abcdef"),
    ],
)
def test_the_gateways_own_pages_and_declared_ones_connect(host: str, origin: str) -> None:
    assert status(("Host", host), ("Origin", origin), BEARER) == 200


FOREIGN = [
    "http://evil.example", "http://evil.example:8787", "https://127.0.0.1:8787", "http://127.0.0.1",
    "http://127.0.0.1:8788", "http://localhost:3001", "http://app.example", "https://app.example:80",
    "https://app.example.evil.example", "chrome-extension://abcdeg", "null", "", "http://", "://localhost:3000",
    "localhost:3000", "http://localhost:3000/", "http://localhost:3000/x", "http://localhost:3000?",
    "http://me@localhost:3000", "http://localhost:99999", "http://localhost:3000 http://evil.example", "\x00",
    "\xe9" * 300, "http://" + "a" * 16_000,
]  # fmt: skip


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_is_forbidden_whatever_token_it_knows(origin: str) -> None:
    assert status(OWN, ("Origin", origin), BEARER) == 403
    assert status(OWN, ("Origin", origin), auth="none") == 403
    assert status(OWN, ("Origin", origin), needs_token=False) == 403


def test_two_origins_are_refused() -> None:
    assert status(OWN, ("Origin", "https://app.example"), ("Origin", "https://app.example"), BEARER) == 403


def test_null_is_an_origin_only_where_it_is_declared() -> None:
    assert status(OWN, ("Origin", "null"), BEARER, origins=("null",)) == 200
    assert status(OWN, ("Origin", "NULL"), BEARER, origins=("null",)) == 403


RIGHT = [
    ([BEARER], "/ws/news"),
    ([("authorization", f"bEARER   {TOKEN} ")], "/ws/news"),
    ([], f"/ws/news?last=1&token={quote(TOKEN)}"),
    ([], f"/ws/news?token={TOKEN}"),
    ([("Sec-WebSocket-Protocol", f"wscli, {carrying(TOKEN)}")], "/ws/news"),
    ([("Sec-WebSocket-Protocol", "wscli"), ("Sec-WebSocket-Protocol", carrying(TOKEN))], "/ws/news"),
    ([BEARER, ("Sec-WebSocket-Protocol", carrying(TOKEN))], f"/ws/news?token={quote(TOKEN)}"),
    ([("Authorization", "Basic bWU6bWU="), BEARER], "/ws/news"),
]


@pytest.mark.parametrize(("headers", "path"), RIGHT)
def test_the_token_is_shown_in_one_of_three_ways(headers: list[tuple[str, str]], path: str) -> None:
    assert status(OWN, *headers, path=path) == 200


WRONG_AUTHORIZATIONS = [
    f"Basic {TOKEN}", "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x", f"Bearer {TOKEN.upper()}",
    TOKEN, "Bearer \xff\x00",
]  # fmt: skip
WRONG_PROTOCOLS = [f"wscli.token.{TOKEN}", f"{carrying(TOKEN)}==", carrying(TOKEN).upper(), "wscli.token.*"]
WRONG = [
    ([], "/ws/news"),
    *(([("Authorization", text)], "/ws/news") for text in WRONG_AUTHORIZATIONS),
    *(([("Sec-WebSocket-Protocol", text)], "/ws/news") for text in WRONG_PROTOCOLS),
    ([BEARER, ("Authorization", "Bearer other")], "/ws/news"),
    ([BEARER], "/ws/news?token=other"),
    ([BEARER], "/ws/news?token="),
    ([BEARER], "/ws/news?token"),
    ([BEARER], f"/ws/news?token={TOKEN}&token=other"),
    ([BEARER], f"/ws/news?tok%65n=other&token={TOKEN}"),
    ([BEARER], "/ws/news?" + "&" * 200 + "token=other"),
    ([BEARER, ("Sec-WebSocket-Protocol", carrying("other"))], "/ws/news"),
    ([BEARER, ("Sec-WebSocket-Protocol", "wscli.token.")], "/ws/news"),
    ([], f"/ws/news#?token={TOKEN}"),
]


@pytest.mark.parametrize(("headers", "path"), WRONG)
def test_any_wrong_token_is_refused_even_beside_a_right_one(headers: list[tuple[str, str]], path: str) -> None:
    refusal = asked(OWN, *headers, path=path)
    assert refusal.status == 401
    assert refusal.headers["WWW-Authenticate"] == "Bearer"
    assert TOKEN not in refusal.text


def test_an_empty_token_has_to_be_given_too() -> None:
    assert status(OWN, auth=UNCHECKED(token=Secret(""))) == 401


def test_no_token_is_needed_where_the_file_or_the_page_needs_none() -> None:
    assert status(OWN, auth="none") == 200
    assert status(OWN, needs_token=False) == 200
    assert status(OWN, ("Authorization", "Bearer other"), needs_token=False) == 200


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ([], "there is no Host header\nhint: a request has one, which names the gateway (RFC 9110, section 7.2)"),
        ([("Host", "a b")], "invalid Host: 'a b'\nhint: Host must be NAME or NAME:PORT (RFC 9110, section 7.2)"),
        (
            [("Host", "evil.example:8787")],
            """'evil.example:8787' is not a name of this gateway
hint: add it to gateway.hosts, if it is a name of this machine""",
        ),
        (
            [OWN, ("Origin", "http://evil.example")],
            """'http://evil.example' is not an origin that may connect
hint: add it to gateway.origins, if this page may connect""",
        ),
        (
            [OWN],
            "a token is needed\nhint: give it as 'Authorization: Bearer TOKEN', as ?token=TOKEN or as a subprotocol",
        ),
        (
            [OWN, ("Authorization", "Bearer other")],
            "the token is wrong\nhint: give it as 'Authorization: Bearer TOKEN', as ?token=TOKEN or as a subprotocol",
        ),
    ],
)
def test_a_refusal_says_what_to_do(headers: list[tuple[str, str]], text: str) -> None:
    assert asked(*headers).text == text


def test_a_quoted_host_is_escaped_and_cut() -> None:
    text = asked(("Host", "\x1b[2J\x9b" + "x" * 1000)).text
    assert text.isascii()
    assert "\x1b" not in text
    assert 0 < len(text) < 250
