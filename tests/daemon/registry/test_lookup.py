"""A URL finds the channel that dials it, and no other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.daemon.scripted import changed, channel_plan
from tests.examples import SOME
from wscli.config.loading import load
from wscli.config.plan import ChannelPlan, Plan
from wscli.daemon.registry.lookup import channel_for
from wscli.daemon.upstream.dial.target import make_target
from wscli.templates import compile_name, compile_path, compile_template
from wscli.values import Secret

FILE = """\
version: 1
endpoints:
  api: {url: "wss://API.example.com/ws?v=2", query: {token: "{token.session}"}}
  plain: {url: ws://127.0.0.1:8790}
tokens:
  session: {value: s3cret}
channels:
  notifications: {endpoint: api, path: /notifications}
  consultations/{id}: {endpoint: api, path: "/consultations/{id}"}
  consultations/lobby: {endpoint: api, path: /consultations/lobby}
  day/{year}-{month}: {endpoint: api, path: "/{month}-{year}.json"}
  root: {endpoint: plain}
  rooms/{room}: {endpoint: plain, path: /rooms, query: {room: "{param.room}"}}
  marked/{room}: {endpoint: plain, path: /marked, query: {room: "no. {param.room}", id: "{param.room}"}}
  news: {endpoint: plain, path: /news}
  news-de: {endpoint: plain, path: /news, query: {lang: de}}
  news-de-long: {endpoint: plain, path: /news, query: {lang: de, long: "1"}}
  new{kind}: {endpoint: plain, path: "/new{kind}"}
  secured: {endpoint: plain, path: /a%2fb, query: {key: "k-{token.session}", lang: de}}
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    path = tmp_path_factory.mktemp("plan") / "app.yaml"
    path.write_text(FILE)
    return load(path, {})


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("wss://api.example.com/ws/notifications", "notifications"),
        ("WSS://Api.Example.COM:443/ws/notifications?v=2&token=another", "notifications"),
        ("wss://me:pw@api.example.com/ws/notifications?token=", "notifications"),
        ("wss://api.example.com/ws/n%6ftifications", "notifications"),
        ("wss://api.example.com/ws/consultations/42", "consultations/42"),
        ("wss://api.example.com/ws/consultations/4%202%C3%BC", "consultations/4 2ü"),
        ("wss://api.example.com/ws/consultations/4%202ü", "consultations/4 2ü"),
        ("wss://api.example.com/ws/consultations/lobby", "consultations/lobby"),
        ("wss://api.example.com/ws/05-2024.json", "day/2024-05"),
        ("wss://api.example.com/ws/05-20-24.json", "day/20-24-05"),
        ("ws://127.0.0.1:8790", "root"),
        ("ws://127.0.0.1:8790/", "root"),
        ("ws://127.0.0.1:8790/rooms?room=4+2", "rooms/4 2"),
        ("ws://127.0.0.1:8790/marked?room=no.%207&id=7", "marked/7"),
        ("ws://127.0.0.1:8790/marked?id=7", "marked/7"),
        ("ws://127.0.0.1:8790/news", "news"),
        ("ws://127.0.0.1:8790/news?lang=de", "news-de"),
        ("ws://127.0.0.1:8790/news?long=1&lang=de", "news-de-long"),
        ("ws://127.0.0.1:8790/newt", "newt"),
        ("ws://127.0.0.1:8790/a%2Fb?lang=de&key=mine", "secured"),
    ],
)
def test_a_url_gives_the_channel_that_dials_it(plan: Plan, url: str, name: str) -> None:
    assert channel_for(plan, url) == name


@pytest.mark.parametrize(
    "url",
    [
        "ws://api.example.com/ws/notifications",
        "wss://api.example.com:444/ws/notifications",
        "wss://example.com/ws/notifications",
        "wss://api.example.com/notifications",
        "wss://api.example.com/ws/notifications/",
        "wss://api.example.com/ws/notifications?v=3",
        "wss://api.example.com/ws/notifications?v=2&v=3",
        "wss://api.example.com/ws/notifications?other=1",
        "wss://api.example.com/ws/notifications#part",
        "wss://api.example.com/ws/consultations/",
        "wss://api.example.com/ws/consultations/4/2",
        "wss://api.example.com/ws/consultations/4%2F2",
        "wss://api.example.com/ws/consultations/..",
        "wss://api.example.com/ws/consultations/%ff",
        f"wss://api.example.com/ws/consultations/{'x' * 300}",
        "wss://api.example.com/ws/2024.json",
        "ws://127.0.0.1:8790/rooms",
        "ws://127.0.0.1:8790/rooms?room=a&room=b",
        "ws://127.0.0.1:8790/rooms?room=a/b",
        "ws://127.0.0.1:8790/marked?room=no.%208&id=7",
        "ws://127.0.0.1:8790/news?lang=fr",
        "ws://127.0.0.1:8790/a/b",
        "http://127.0.0.1:8790/news",
        "ws://127.0.0.1:99999/news",
        "ws://[::1/news",
        "ws:///news",
        "/news",
        "",
        "ws://\ud800/",
        "ws://127.0.0.1:8790/\ud800",
    ],
)
def test_another_url_has_no_channel(plan: Plan, url: str) -> None:
    assert channel_for(plan, url) is None


def test_a_literal_channel_is_chosen_over_a_template_and_the_first_over_later_ones(plan: Plan) -> None:
    assert channel_for(plan, "ws://127.0.0.1:8790/news") == "news"  # not new{kind}, whose path it has as well
    again = replace(plan.channels["news"], name="again")
    both = replace(plan, channels={"again": again, **plan.channels})
    assert channel_for(both, "ws://127.0.0.1:8790/news") == "again"


def test_a_url_that_fits_in_very_many_ways_is_answered_soon() -> None:
    path = compile_path("/{a}-{b}-{c}")
    channel = changed(channel_plan("x"), name="x/{a}-{b}-{c}", params=("a", "b", "c"), path=path)
    assert channel_for(_plan(channel), f"ws://192.0.2.1/ws/{'-' * 120}/") is None


def _plan(*channels: ChannelPlan) -> Plan:
    named = {channel.name: channel for channel in channels}
    return Plan(name="app", file=Path("/nonexistent/app.yaml"), endpoints={}, channels=named, tokens={})


WORDS = st.text("ab-.~ %é/", min_size=1, max_size=4)
VALUES = st.text("ab-.% é+&=", min_size=1, max_size=5).filter(lambda text: text not in (".", ".."))


@st.composite
def channels(draw: st.DrawFn) -> ChannelPlan:
    """A channel of up to three parameters, each in its path or its query."""
    params = ["one", "two", "three"][: draw(st.integers(0, 3))]
    name = "/".join([draw(st.sampled_from(["x", "y"])), *(f"{{{param}}}" for param in params)])
    in_query = {param for param in params if draw(st.booleans())}
    pieces = [draw(WORDS.map(lambda word: word.rstrip("%"))), *(f"{{{p}}}" for p in params if p not in in_query)]
    path = "/" + draw(st.sampled_from(["/", "-", "%20", ".."])).join(draw(st.permutations(pieces)))
    query = {f"q-{param}": f"{{param.{param}}}" for param in in_query}
    if draw(st.booleans()):
        query["lit"] = draw(WORDS)
    if draw(st.booleans()):
        query["token"] = "v{token.session}"
    return changed(
        channel_plan(),
        name=name,
        params=tuple(params),
        url=Secret(draw(st.sampled_from(["ws://h.example", "ws://h.example:80/ws/?v=2", "wss://H.example/a%20b"]))),
        shown_url="",
        path=compile_path(path),
        query={key: compile_template(text, ("token", "param")) for key, text in query.items()},
    )


@settings(max_examples=SOME, deadline=None)
@given(channels(), st.data())
def test_the_url_that_a_channel_dials_gives_that_channel(channel: ChannelPlan, data: st.DataObject) -> None:
    values = {param: data.draw(VALUES) for param in channel.params}
    name = channel.name
    for param, value in values.items():
        name = name.replace(f"{{{param}}}", value)
    params = compile_name(channel.name).match(name)
    if params != values:  # a value that held a placeholder, or could not be part of a name
        return
    url = make_target(channel.upstream.dial, {"param": params, "token": {"session": data.draw(VALUES)}}).url
    found = channel_for(_plan(channel), url)
    assert found is not None
    again = compile_name(channel.name).match(found)
    assert again is not None
    assert (
        make_target(channel.upstream.dial, {"param": again, "token": {"session": ""}}).url.partition("?")[0]
        == url.partition("?")[0]
    )
    assert channel.upstream.dial.path is not None
    if len(channel.upstream.dial.path.params) < 2:
        assert found == name


@settings(max_examples=SOME, deadline=None)
@given(st.one_of(st.text(), st.text("ws:/?#[]@&=%h.example12{}", max_size=40).map("ws://".__add__)))
def test_any_text_is_answered(url: str) -> None:
    assert channel_for(_plan(channel_plan()), url) in (None, "news")
