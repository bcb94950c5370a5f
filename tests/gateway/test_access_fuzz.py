"""No request makes an access check raise, or is let in without the token."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.http11 import Request

from tests.examples import EXAMPLES
from tests.gateway.test_access import LISTEN, OWN, PLAN, TOKEN, UNCHECKED, Unchecked, carrying, other, status
from wscli.config.models.gateway import GatewayAuth, GatewayPlan, Listen
from wscli.gateway.access import admit
from wscli.gateway.requests import channel_name, query
from wscli.values import Secret

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
def test_no_request_makes_a_check_raise_or_comes_in_without_the_token(
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


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40))
def test_every_token_can_be_shown_in_each_way(token: str) -> None:
    more = {"auth": GatewayAuth(token=Secret(token))}
    assert status(OWN, ("Authorization", f"Bearer {token}"), **more) == 200
    assert status(OWN, path=f"/ws/news?token={quote(token, safe='')}", **more) == 200
    assert status(OWN, ("Sec-WebSocket-Protocol", f"wscli,{carrying(token)}"), **more) == 200
