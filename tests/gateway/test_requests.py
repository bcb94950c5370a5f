"""Reading a client's request: its channel, its query and its subprotocols."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers

from wscli.gateway.requests import channel_name, offered_subprotocols, query, subprotocols


def test_subprotocols_come_in_the_clients_order_without_those_of_the_gateway() -> None:
    headers = Headers([("Sec-WebSocket-Protocol", "b, ,wscli.token.x"), ("Sec-WebSocket-Protocol", "a,")])
    assert subprotocols(headers) == ["b", "wscli.token.x", "a"]
    assert offered_subprotocols(headers) == (["b", "a"], "wscli.token.x")
    assert offered_subprotocols(Headers()) == ([], None)
    beside = Headers([("Sec-WebSocket-Protocol", "wscli.token.x, wscli, wscli.tokens")])
    assert offered_subprotocols(beside) == (["wscli.tokens"], "wscli")


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


segments = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/"), min_size=1, max_size=12)


@given(st.lists(segments, min_size=1, max_size=4))
def test_every_printable_name_can_be_asked_for(parts: list[str]) -> None:
    path = "/ws/" + "/".join(quote(part, safe="") for part in parts)
    assert channel_name(path) == "/".join(parts)
