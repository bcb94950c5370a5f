"""What is valid and hardly meant is a warning with its line; what may well be meant is none."""

from __future__ import annotations

import re

import pytest

from tests.config.conftest import Loads

TEMPLATED = """\
endpoints: {{api: {{url: "ws://h", headers: {{X: {text}}}}}}}
tokens: {{s: {{value: x}}}}
channels: {{"rooms/{{id}}": {{endpoint: api, path: "/{{id}}", query: {{t: "{{token.s}}"}}}}}}
"""


def warnings(loads: Loads, text: str, environ: dict[str, str] | None = None) -> list[str]:
    return [re.sub(r"^.*/app\.yaml:", "", line) for line in loads(text, environ).warnings]


@pytest.mark.parametrize(
    ("text", "seen", "meant"),
    [
        ("'{{ token.s }}'", "{{ token.s }}", "a placeholder is written '{token.s}'"),
        ("'Bearer {{token.s}}'", "{{token.s}}", "a placeholder is written '{token.s}'"),
        ("'{{ s }}'", "{{ s }}", "a placeholder is written '{token.NAME}'"),
        ("'{{ s | upper }}'", "{{ s | upper }}", "a placeholder is written '{token.NAME}'"),
        ("'a {id} b'", "{id}", "a placeholder is written '{param.id}'"),
        ("'a {s} b'", "{s}", "a placeholder is written '{token.s}'"),
        ("'{session}'", "{session}", "a placeholder is written '{token.session}'"),
        ("$API_KEY", "$API_KEY", "a variable is written '${API_KEY}'"),
        ("'Bearer $API_KEY.'", "$API_KEY", "a variable is written '${API_KEY}'"),
        ("$(cat token)", "$(cat token)", "no command is run here; see 'tokens: command'"),
        ("'%API_KEY%'", "%API_KEY%", "a variable is written '${API_KEY}'"),
        ("Bearer <YOUR_TOKEN>", "<YOUR_TOKEN>", "it looks like a value that is still missing"),
        ("<api-token>", "<api-token>", "it looks like a value that is still missing"),
    ],
)
def test_text_that_looks_like_a_forgotten_template(loads: Loads, text: str, seen: str, meant: str) -> None:
    assert warnings(loads, TEMPLATED.format(text=text)) == [
        f"1:47: endpoints.api.headers.X: {seen!r} is sent as it stands; {meant}"
    ]


@pytest.mark.parametrize(
    "text",
    [
        *('\'{"a": {"b": [{}]}}\'', "'{{token.s}'", "'{other} is text'", "$$API_KEY", "pa$$word", "pa$WORD", "'$5'"),
        *("'100%'", "'%41%42%43'", "'%ERROR%'", "'a <b> c'", "'${API_KEY}'", "'${API_KEY:-none}'"),
        *("'{token.s:base64}'", "'{param.id}'", "'a:b'"),
    ],
)
def test_text_that_may_be_meant(loads: Loads, text: str) -> None:
    assert warnings(loads, TEMPLATED.format(text=text), {"API_KEY": "$OTHER {{ token.s }} {id}"}) == []


@pytest.mark.parametrize(
    "channel",
    [
        "{endpoint: api, path: '/{id}', on_message: [sh, -c, 'echo $HOME $(date) {id}']}",
        "{endpoint: api, path: '/{id}', on_message: {exec: [cat], jq: '.a as $X | {id}'}}",
        "{endpoint: api, path: '/{id}', backfill: {http: {post: 'http://h', json: {query: '{ rooms{id} }'}}, id: .id}}",
        "{endpoint: api, on_state: [subscribe]}",
    ],
)
def test_commands_jq_and_bodies_have_languages_of_their_own(loads: Loads, channel: str) -> None:
    assert warnings(loads, f"endpoints: {{api: {{url: ws://h}}}}\nchannels:\n  rooms/{{id}}: {channel}\n") == []


def test_each_place_that_holds_text_is_searched(loads: Loads) -> None:
    text = """\
endpoints:
  api: {url: "ws://h/$A", query: {t: $B}, subprotocols: [$C], proxy: "http://$D:1", headers: {A: "{token.s}{token.t}"}}
tokens:
  s: {http: {get: "http://h/$E", headers: {X: $F}}}
  t: {value: $G}
channels:
  c/{id}: {endpoint: api, path: "/:id/$H/{id}", backfill: {http: {get: "http://h/$I"}, id: .id}}
gateway: {listen: unix:sock, auth: {token: $J}}
"""
    found = re.findall(r"'([^']*)' is sent", "\n".join(warnings(loads, text)))
    assert found == ["$A", "$B", "$C", "$D", "$E", "$F", "$G", "$H", ":id", "$I", "$J"]


def test_what_is_declared_and_not_used(loads: Loads) -> None:
    text = """\
endpoints:
  api: {url: ws://h, query: {t: "{token.one}"}, backoff: slow}
  old: {url: ws://h}
tokens:
  one: {value: "{token.two}"}
  two: {value: x}
  three: {value: x}
  hooked: {value: x}
backoff:
  default: {max: 1m}
  slow: {max: 5m}
  quick: {max: 1s}
channels:
  a/{id}/{n}: {endpoint: api, path: "/{id}"}
  b/{id}: {endpoint: api, path: /b, query: {n: "{param.id}"}}
  c: {endpoint: api, path: /c, on_state: [sh, -c, "wscli token get hooked"]}
"""
    assert warnings(loads, text) == [
        "3:3: endpoints.old: no channel uses this endpoint",
        "7:3: tokens.three: no endpoint, channel or token uses this token; only `wscli token get three` does",
        "12:3: backoff.quick: no endpoint and no channel uses this backoff policy",
        "14:3: channels.a/{id}/{n}: the parameter {n} is not used; every channel of this template dials the same URL",
    ]


def test_a_file_of_tokens_alone_is_a_brokers(loads: Loads) -> None:
    assert warnings(loads, "tokens: {one: {value: x}}\n") == []


def test_channels_that_dial_one_url_are_named_both(loads: Loads) -> None:
    text = """\
endpoints:
  api: {url: "ws://h/ws"}
  again: {url: "ws://h", headers: {X: "1"}}
channels:
  a: {endpoint: api, path: /same}
  b: {endpoint: api, path: /same, linger: 5s}
  c: {endpoint: again, path: /ws/same, headers: {X: "2"}}
  d: {endpoint: again, path: /ws/same, headers: {x: "2"}, max_message: 1KiB}
  e/{id}: {endpoint: api, path: "/{id}"}
  f/{n}: {endpoint: api, path: "/{n}"}
  g: {endpoint: api, path: /same, query: {lang: de}}
"""
    assert warnings(loads, text) == [
        "6:3: channels.b: the channels 'b' and 'a' dial the same URL, over one connection each",
        "8:3: channels.d: the channels 'd' and 'c' dial the same URL, over one connection each",
        "10:3: channels.f/{n}: the channels 'f/{n}' and 'e/{id}' dial the same URL, over one connection each",
    ]


def test_channels_that_share_a_connection_may_dial_one_url(loads: Loads) -> None:
    endpoints = "endpoints: {api: {url: 'ws://h/ws', share: true}}\n"
    assert warnings(loads, f"{endpoints}channels: {{a: {{endpoint: api}}, b: {{endpoint: api}}}}\n") == []


def test_many_channels_of_one_url_are_one_warning(loads: Loads) -> None:
    channels = "".join(f"  c{number}: {{endpoint: api}}\n" for number in range(1000))
    text = f"endpoints: {{api: {{url: 'ws://h/ws'}}}}\nchannels:\n{channels}"
    assert warnings(loads, text) == [
        "4:3: channels.c1: the channels 'c0', 'c1' and 998 more dial the same URL, over one connection each"
    ]


SESSION = """\
endpoints:
  api:
    url: ws://h
    session:
      subscribe:
        - {{when: {{with.private: true}}, send: {{topic: "{{with.topic}}", id: {text}}}, expect: {{id: "{{any}}"}}}}
channels:
  a: {{endpoint: api, with: {{topic: a, private: true{more}}}}}
"""


@pytest.mark.parametrize(
    ("text", "meant"), [("'{topic}'", "{with.topic}"), ("'{ref}'", "{ref.NAME}"), ("'{now}'", "{now.NAME}")]
)
def test_a_whole_value_of_a_session_that_looks_like_a_placeholder(loads: Loads, text: str, meant: str) -> None:
    found = warnings(loads, SESSION.format(text=text, more=""))
    place = "6:74: endpoints.api.session.subscribe[0].send.id"
    assert found == [f"{place}: {text} is sent as it stands; a placeholder is written '{meant}'"]


@pytest.mark.parametrize("text", ["'a{topic}'", "'{}'", "'{{with.topic}'", "'{\"a\": 1}'"])
def test_braces_of_a_protocol_may_be_meant(loads: Loads, text: str) -> None:
    assert warnings(loads, SESSION.format(text=text, more="")) == []


def test_a_value_that_nothing_names(loads: Loads) -> None:
    assert warnings(loads, SESSION.format(text="1", more=", tpoic: b, other: c")) == [
        "8:54: channels.a.with.tpoic: this value is not used; did you mean 'topic'?",
        "8:64: channels.a.with.other: this value is not used; nothing names '{with.other}'",
    ]


def test_endpoints_with_a_session_of_their_own_may_dial_one_url(loads: Loads) -> None:
    text = (
        "endpoints:\n"
        "  one: {url: ws://h, session: {hello: [{send: a}]}}\n"
        "  two: {url: ws://h, session: {hello: [{send: b}]}}\n"
        "channels: {a: {endpoint: one}, b: {endpoint: two}}\n"
    )
    assert warnings(loads, text) == []


def test_channels_of_a_shared_connection_dial_one_url(loads: Loads) -> None:
    text = SESSION.format(text="1", more="") + "  b: {endpoint: api, with: {topic: b, private: true}}\n"
    (found,) = warnings(loads, text)
    assert found.startswith("9:3: channels.b: the channels 'b' and 'a' dial the same URL, over one connection each")
    assert found.endswith("; 'share: true' on the endpoint lets them share one")
    shared = text.replace("url: ws://h", "url: ws://h\n    share: true").replace('"{any}"', '"{with.topic}"')
    assert warnings(loads, shared) == []
