"""The walls: who is let in, who is told why not, and that no request makes them raise."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.http11 import Request

from tests.examples import EXAMPLES
from wscli.config.models.gateway import GatewayAuth, GatewayPlan, Listen
from wscli.gateway.walls import Refusal, admit, channel_name, query, subprotocols, token_subprotocol
from wscli.values import Secret

TOKEN = "s3cret+token/=="
LISTEN = Listen("127.0.0.1", 8787)
PLAN = GatewayPlan(
    listen=(LISTEN,),
    auth=GatewayAuth(token=Secret(TOKEN)),
    origins=("http://localhost:3000", "https://app.example", "chrome-extension://abcdef"),
    hosts=("dev.example.test", "fixed.example.test:9000", "[fd00::1]"),
)
UNCHECKED = GatewayAuth.model_construct


def other(**changes: Any) -> GatewayPlan:
    """Change the plan, unchecked."""
    return PLAN.model_copy(update=changes)


OWN = ("Host", "127.0.0.1:8787")
BEARER = ("Authorization", f"Bearer {TOKEN}")


class Unchecked(Headers):
    """Headers with values that the library's own parser would have refused: the walls rely on nobody."""

    def __setitem__(self, key: str, value: str) -> None:
        self._dict.setdefault(key.lower(), []).append(value)
        self._list.append((key, value))


def carrying(token: str) -> str:
    return "wscli.token." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def asked(
    *headers: tuple[str, str], path: str = "/ws/news", listen: Listen = LISTEN, needs_token: bool = True, **more: Any
) -> Refusal | None:
    return admit(other(**more), listen, Request(path, Unchecked(headers)), needs_token=needs_token)


def status(*headers: tuple[str, str], **more: Any) -> int:
    """200 stands for being let in."""
    refusal = asked(*headers, **more)
    return 200 if refusal is None else refusal.status


def of_host(host: str, **more: Any) -> int:
    return status(("Host", host), BEARER, **more)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8787",
        "localhost:8787",
        "LocalHost:8787",
        "localhost.:8787",
        "[::1]:8787",
        "[0:0:0:0:0:0:0:1]:8787",
        "dev.example.test",
        "DEV.Example.Test.:1234",
        "fixed.example.test:9000",
        "[FD00::1]:8787",
    ],
)
def test_a_host_that_is_ours_is_let_in(host: str) -> None:
    assert of_host(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8787",  # whose name resolves to 127.0.0.1
        "localhost",
        "localhost:80",
        "localhost:0",
        "127.0.0.1:8788",
        "127.0.0.2:8787",
        "localhost.evil.example:8787",
        "evil.localhost:8787",
        "127.0.0.1.evil.example:8787",
        "fixed.example.test",
        "fixed.example.test:9001",
        "xdev.example.test",
        "[::2]:8787",
        "127.1:8787",
        "2130706433:8787",
    ],
)
def test_a_foreign_host_is_misdirected(host: str) -> None:
    assert of_host(host) == 421


@pytest.mark.parametrize(
    "host",
    [
        "",
        " ",
        ":8787",
        "localhost:",
        "localhost:-1",
        "localhost:65536",
        "localhost:8787:8787",
        "localhost:\xb28787",
        "local host:8787",
        "me@localhost:8787",
        "localhost:8787/",
        "http://localhost:8787",
        "::1:8787",
        "[::1:8787",
        "[::g]:8787",
        "[fe80::1%lo]:8787",
        "localhost..:8787",
        "localhost:8787, evil.example",
        "\x00",
        "\xff" * 300,
        "a" * 16_000,
        "a." * 8_000,
    ],
)
def test_a_malformed_host_is_a_bad_request(host: str) -> None:
    assert of_host(host) == 400


def test_there_is_exactly_one_host() -> None:
    assert status(BEARER) == 400
    assert status(OWN, OWN, BEARER) == 400


def test_a_host_without_a_port_means_port_80() -> None:
    assert of_host("localhost", listen=Listen("127.0.0.1", 80)) == 200
    assert of_host("localhost:80", listen=Listen("127.0.0.1", 80)) == 200


@pytest.mark.parametrize("host", ["localhost", "localhost:1234", "dev.example.test:99", "fixed.example.test"])
def test_over_a_unix_socket_the_port_is_nothing(host: str) -> None:
    listen = Listen(path=Path("/run/gateway.sock"))
    assert of_host(host, listen=listen) == 200
    assert of_host("127.0.0.1:8787", listen=listen) == 421
    assert of_host("evil.example", listen=listen) == 421


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
def test_the_address_that_is_listened_at_is_a_name(listen: str, host: str, found: int) -> None:
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
    "http://evil.example",
    "http://evil.example:8787",
    "https://127.0.0.1:8787",
    "http://127.0.0.1",
    "http://127.0.0.1:8788",
    "http://localhost:3001",
    "http://app.example",
    "https://app.example:80",
    "https://app.example.evil.example",
    "chrome-extension://abcdeg",
    "null",
    "",
    "http://",
    "://localhost:3000",
    "localhost:3000",
    "http://localhost:3000/",
    "http://localhost:3000/x",
    "http://localhost:3000?",
    "http://me@localhost:3000",
    "http://localhost:99999",
    "http://localhost:3000 http://evil.example",
    "\x00",
    "\xe9" * 300,
    "http://" + "a" * 16_000,
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_a_foreign_page_is_forbidden_whatever_token_it_knows(origin: str) -> None:
    assert status(OWN, ("Origin", origin), BEARER) == 403
    assert status(OWN, ("Origin", origin), auth="none") == 403
    assert status(OWN, ("Origin", origin), needs_token=False) == 403


def test_two_origins_are_one_too_many() -> None:
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


WRONG = [
    ([], "/ws/news"),
    ([("Authorization", f"Basic {TOKEN}")], "/ws/news"),
    ([("Authorization", "Bearer")], "/ws/news"),
    ([("Authorization", "Bearer ")], "/ws/news"),
    ([("Authorization", f"Bearer {TOKEN[:-1]}")], "/ws/news"),
    ([("Authorization", f"Bearer {TOKEN}x")], "/ws/news"),
    ([("Authorization", f"Bearer {TOKEN.upper()}")], "/ws/news"),
    ([("Authorization", TOKEN)], "/ws/news"),
    ([("Authorization", "Bearer \xff\x00")], "/ws/news"),
    ([BEARER, ("Authorization", "Bearer other")], "/ws/news"),
    ([BEARER], "/ws/news?token=other"),
    ([BEARER], "/ws/news?token="),
    ([BEARER], "/ws/news?token"),
    ([BEARER], f"/ws/news?token={TOKEN}&token=other"),
    ([BEARER], f"/ws/news?tok%65n=other&token={TOKEN}"),
    ([BEARER], "/ws/news?" + "&" * 200 + "token=other"),
    ([BEARER, ("Sec-WebSocket-Protocol", carrying("other"))], "/ws/news"),
    ([BEARER, ("Sec-WebSocket-Protocol", "wscli.token.")], "/ws/news"),
    ([("Sec-WebSocket-Protocol", f"wscli.token.{TOKEN}")], "/ws/news"),
    ([("Sec-WebSocket-Protocol", f"{carrying(TOKEN)}==")], "/ws/news"),
    ([("Sec-WebSocket-Protocol", carrying(TOKEN).upper())], "/ws/news"),
    ([("Sec-WebSocket-Protocol", "wscli.token.*")], "/ws/news"),
    ([], f"/ws/news#?token={TOKEN}"),
]


@pytest.mark.parametrize(("headers", "path"), WRONG)
def test_a_wrong_token_is_not_healed_by_a_right_one(headers: list[tuple[str, str]], path: str) -> None:
    refusal = asked(OWN, *headers, path=path)
    assert refusal is not None
    assert refusal.status == 401
    assert refusal.headers["WWW-Authenticate"] == "Bearer"
    assert TOKEN not in refusal.text


def test_an_empty_token_opens_nothing_by_saying_nothing() -> None:
    assert status(OWN, auth=UNCHECKED(token=Secret(""))) == 401


def test_no_token_is_asked_for_where_the_file_or_the_page_needs_none() -> None:
    assert status(OWN, auth="none") == 200
    assert status(OWN, needs_token=False) == 200
    assert status(OWN, ("Authorization", "Bearer other"), needs_token=False) == 200


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ([], "there is no Host header\nhint: a request has one, which names the gateway (RFC 9110, section 7.2)"),
        ([("Host", "a b")], "'a b' is no Host\nhint: it is NAME or NAME:PORT (RFC 9110, section 7.2)"),
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
    refusal = asked(*headers)
    assert refusal is not None
    assert refusal.text == text


def test_what_is_quoted_cannot_steer_a_terminal_and_is_short() -> None:
    refusal = asked(("Host", "\x1b[2J\x9b" + "x" * 1000))
    assert refusal is not None
    assert refusal.text.isascii()
    assert "\x1b" not in refusal.text
    assert len(refusal.text) < 250


def test_subprotocols_come_in_the_clients_order() -> None:
    headers = Headers([("Sec-WebSocket-Protocol", "b, ,wscli.token.x"), ("Sec-WebSocket-Protocol", "a,")])
    assert subprotocols(headers) == ["b", "wscli.token.x", "a"]
    assert token_subprotocol(subprotocols(headers)) == "wscli.token.x"
    assert subprotocols(Headers()) == []
    assert token_subprotocol(["wscli", "wscli.tokens"]) is None


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/ws/news", "news"),
        ("/ws/news?last=1/2", "news"),
        ("/ws/news#x", "news"),
        ("/ws/consultations/42", "consultations/42"),
        ("/ws/a%20b/%34%32", "a b/42"),
        ("/ws/%C3%A9", "é"),
        ("/ws/100%", "100%"),
        ("/ws/%zz", "%zz"),
        ("/ws/%257Bid%257D", "%7Bid%7D"),
        ("/ws/a//b", "a//b"),
        ("/ws/..", ".."),  # a name like any other: no channel is called so
        ("/ws", None),
        ("/ws/", None),
        ("/wsx/news", None),
        ("ws/news", None),
        ("//ws/news", None),
        ("http://localhost/ws/news", None),
        ("", None),
        ("/ws/a%2Fb/42", None),
        ("/ws/a%2fb", None),
        ("/ws/a%00", None),
        ("/ws/a%0A", None),
        ("/ws/%1b[2J", None),
        ("/ws/%7f", None),
        ("/ws/%c2%9b", None),
        ("/ws/%E2%80%AE", None),
        ("/ws/%ff", None),
        ("/ws/%C0%AF", None),
        ("/ws/%ED%A0%80", None),
        ("/ws/\udcff", None),
    ],
)
def test_a_path_names_a_channel_or_none(path: str, name: str | None) -> None:
    assert channel_name(path) == name


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/", {}),
        ("/?", {}),
        ("/?a", {"a": ""}),
        ("/?a=1&a=2&b=", {"a": "2", "b": ""}),
        ("/?a=1?2=3", {"a": "1?2=3"}),
        ("/?after=k3f9:17", {"after": "k3f9:17"}),
        ("/?after=k3f9%3A17#x", {"after": "k3f9:17"}),
        ("/?a=%zz%4", {"a": "%zz%4"}),
        ("/?a=1+1", {"a": "1+1"}),
        ("/?a=%ff", {"a": "\ufffd"}),
        ("/?=x&&", {"": "x"}),
    ],
)
def test_a_query_is_read_as_it_is_written(path: str, found: dict[str, str]) -> None:
    assert query(path) == found


raw = st.binary(max_size=40).map(lambda data: data.decode("latin-1"))
garbage = raw | st.text(max_size=20)
near = st.sampled_from(
    [
        *("127.0.0.1:8787", "localhost:8787", "evil.example", "[::1]", "dev.example.test", "http://", "https://"),
        *("localhost:3000", "null", "Bearer ", TOKEN, carrying(TOKEN), "wscli.token.", ",", " ", ":", "[", "]", "@"),
        *("/ws/", "?token=", "%", "%2F", "%00", "/", "&", "=", "news", "\x00", "\xff", "."),
    ]
)
texts = near | garbage | st.tuples(near, near).map("".join) | st.tuples(near, garbage, near).map("".join)
names = st.sampled_from(["Host", "Origin", "Authorization", "Sec-WebSocket-Protocol", "host", "X"])
plans = st.sampled_from(
    [
        PLAN,
        other(auth="none"),
        other(auth=UNCHECKED(token=Secret("")), origins=("null", "*", ""), hosts=("", "*", ":", "[", "x:y")),
        other(auth=UNCHECKED(token=Secret("\ud800\x00\xff")), origins=("\ud800",), hosts=("\ud800", "\xff")),
    ]
)
listens = st.sampled_from(
    [LISTEN, Listen("::1", 8787), Listen("0.0.0.0", 80), Listen("\ud800", 0), Listen("", 1), Listen(path=Path("/s"))]
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(plans, listens, st.lists(st.tuples(names, texts), max_size=4), texts, st.booleans())
def test_no_request_makes_a_wall_raise_or_comes_in_without_the_token(
    plan: GatewayPlan, listen: Listen, headers: list[tuple[str, str]], path: str, needs_token: bool
) -> None:
    refusal = admit(plan, listen, Request(path, Unchecked(headers)), needs_token=needs_token)
    if refusal is not None:
        assert refusal.status in (400, 401, 403, 421)
        assert refusal.text.count("\n") == 1
        assert refusal.text.replace("\n", "").isprintable()
        refusal.text.encode()
    elif plan is PLAN and needs_token:  # it holds the token, whole and in one of its three forms
        sent = [value for _, value in headers] + list(query(path).values())
        assert any(TOKEN in text or carrying(TOKEN) in text for text in sent)
    name = channel_name(path)
    assert name is None or name.isprintable()
    assert all(isinstance(value, str) for value in query(path).values())


@settings(max_examples=max(100, EXAMPLES // 10), deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["Host", "Origin"]), texts), max_size=3))
def test_only_known_names_and_pages_come_to_the_token(headers: list[tuple[str, str]]) -> None:
    refusal = admit(PLAN, LISTEN, Request("/", Unchecked(headers)), needs_token=True)
    assert refusal is not None
    if refusal.status == 401:
        (host,) = [value.lower() for name, value in headers if name == "Host"]
        assert host.startswith(("127.0.0.1", "localhost", "[::1]", "dev.", "fixed.", "[fd00", "[0"))
        assert len([name for name, _ in headers if name == "Origin"]) <= 1


segments = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/"), min_size=1, max_size=12)


@given(st.lists(segments, min_size=1, max_size=4))
def test_every_printable_name_can_be_asked_for(parts: list[str]) -> None:
    path = "/ws/" + "/".join(quote(part, safe="") for part in parts)
    assert channel_name(path) == "/".join(parts)


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40))
def test_every_token_can_be_shown_in_each_way(token: str) -> None:
    more = {"auth": GatewayAuth(token=Secret(token))}
    assert status(OWN, ("Authorization", f"Bearer {token}"), **more) == 200
    assert status(OWN, path=f"/ws/news?token={quote(token, safe='')}", **more) == 200
    assert status(OWN, ("Sec-WebSocket-Protocol", f"wscli,{carrying(token)}"), **more) == 200
