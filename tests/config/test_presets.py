"""``preset:``: its keys stand below the endpoint's, and what it needs is asked for where the user can add it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.config.conftest import Loads, Refuses
from wscli.config.loading import load
from wscli.config.presets import preset_init
from wscli.core.failures import Action, Failure, FailureKind
from wscli.core.verdicts import decide
from wscli.errors import ConfigError
from wscli.session import preset as presets
from wscli.session.preset import preset_names

PRESET = """\
url: wss://preset.example/ws
query: {v: "1", encoding: json}
headers: {X-Kind: preset, X-Other: "1"}
subprotocols: [preset.v1]
verdicts: {4004: stop, 4010-4014: stop}
session:
  hello: [{expect: {type: hello}, set: {beat: .beat}}]
  subscribe: [{send: {id: "{ref.int}", topic: "{with.topic}"}}]
  timers: [{every: "{var.beat}s"}]
x-init: |
  endpoints: {api: {preset: mine}}
  channels: {c: {endpoint: api, with: {topic: news}}}
"""


class Environ(dict[str, str]):
    """Every variable is set."""

    def get(self, name: str, default: str | None = None) -> str:  # type: ignore[override]  # never its default
        return "value"


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One preset, called mine."""
    directory = tmp_path / "presets"
    directory.mkdir()
    (directory / "mine.yaml").write_text(PRESET)
    monkeypatch.setattr(presets, "_PRESETS", directory)


@pytest.mark.parametrize("name", preset_names())
def test_each_compiles_with_the_file_that_it_comes_with(name: str, tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_text(preset_init(name))
    plan = load(file, Environ())
    assert plan.warnings == ()
    assert all(channel.upstream.session is not None for channel in plan.channels.values())


def test_there_are_many() -> None:
    assert len(preset_names()) >= 20


@pytest.mark.parametrize(("name", "most"), [("phoenix", 100), ("centrifugo", 128)])
def test_a_connection_carries_no_more_channels_than_the_server_takes(name: str, most: int, tmp_path: Path) -> None:
    file = tmp_path / "wscli.yaml"
    file.write_text(preset_init(name))
    (channel,) = load(file, Environ()).channels.values()
    assert channel.upstream.share
    assert channel.upstream.most_channels == most


def test_without_one_none_is_read(loads: Loads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presets, "_PRESETS", None)
    assert loads("endpoints: {api: {url: ws://h}}\nchannels: {c: {endpoint: api}}\n").channels


@pytest.mark.usefixtures("mine")
def test_mappings_merge_by_key_and_lists_replace(loads: Loads) -> None:
    plan = loads(
        "endpoints: {api: {preset: mine, query: {v: '2'}, headers: {X-Kind: mine}, subprotocols: [mine.v1]}}\n"
        "channels: {c: {endpoint: api, with: {topic: news}}}\n"
    )
    dial = plan.channels["c"].upstream.dial
    assert dial.url.reveal() == "wss://preset.example/ws"
    assert dict(dial.filled_query({})) == {"v": "2", "encoding": "json"}
    assert dict(dial.filled_headers({})) == {"X-Kind": "mine", "X-Other": "1"}
    assert dial.filled_subprotocols({}) == ["mine.v1"]


@pytest.mark.usefixtures("mine")
def test_each_key_of_a_session_replaces_the_presets_whole(loads: Loads) -> None:
    plan = loads(
        "endpoints: {api: {preset: mine, session: {timers: [{every: 5s}], show: .x}}}\n"
        "channels: {c: {endpoint: api, with: {topic: news}}}\n"
    )
    session = plan.channels["c"].upstream.session
    assert session is not None
    assert [timer.duration.render({}) for timer in session.timers] == ["5s"]
    assert (len(session.hello), len(session.subscribe), session.show is not None) == (1, 1, True)


@pytest.mark.usefixtures("mine")
def test_its_verdicts_are_a_level_between_the_endpoint_and_the_file(loads: Loads) -> None:
    plan = loads(
        "endpoints: {api: {preset: mine, verdicts: {4000-4099: retry}}}\n"
        "verdicts: {4010-4014: done, 4100: done}\n"
        "channels:\n"
        "  c: {endpoint: api, with: {topic: news}}\n"
        "  d: {endpoint: api, with: {topic: x}, verdicts: {4100: stop}}\n"
    )

    def verdict(channel: str, code: int) -> Action:
        failure = Failure(FailureKind.CLOSE, "closed", code)
        return decide(failure, plan.channels[channel].upstream.verdicts).action

    assert verdict("c", 4004) is Action.RETRY  # the endpoint's range is nearer than the preset's code
    assert verdict("c", 4100) is Action.DONE
    assert verdict("d", 4100) is Action.STOP
    plain = loads("endpoints: {api: {preset: mine}}\nverdicts: {4010-4014: done}\n"
                  "channels: {c: {endpoint: api, with: {topic: x}}}\n")  # fmt: skip
    failure = Failure(FailureKind.CLOSE, "closed", 4012)
    assert decide(failure, plain.channels["c"].upstream.verdicts).action is Action.STOP


@pytest.mark.usefixtures("mine")
def test_what_is_wrong_with_it_stands_where_it_is_named(refuses: Refuses) -> None:
    assert refuses(
        "endpoints:\n  api:\n    preset: mine\n    session: {hello: []}\nchannels:\n  c: {endpoint: api}\n"
    ) == [
        "3:13: endpoints.api.session.timers[0].every: '{var.beat}': nothing sets or keeps 'beat' (preset 'mine')",
        "6:3: channels.c: the preset 'mine' needs a value 'topic' here; add 'with: {topic: ...}'",
    ]


@pytest.mark.usefixtures("mine")
def test_two_endpoints_may_have_the_same(loads: Loads) -> None:
    plan = loads(
        "endpoints: {a: {preset: mine}, b: {preset: mine, url: wss://b.example/ws}}\n"
        "channels: {a: {endpoint: a, with: {topic: x}}, b: {endpoint: b, with: {topic: x}}}\n"
    )
    a, b = (channel.upstream for channel in plan.channels.values())
    assert a.session == b.session
    assert (a.dial.url.reveal(), b.dial.url.reveal()) == ("wss://preset.example/ws", "wss://b.example/ws")


@pytest.mark.usefixtures("mine")
def test_a_token_that_a_preset_uses_is_used(loads: Loads, tmp_path: Path) -> None:
    (tmp_path / "presets" / "other.yaml").write_text("headers: {A: '{token.key}'}\n")
    plan = loads(
        "endpoints: {api: {preset: other, url: ws://h}}\ntokens: {key: {env: X}}\nchannels: {c: {endpoint: api}}\n"
    )
    assert plan.warnings == ()


def test_an_endpoint_may_take_other_sources_in_the_place_of_its_presets_tokens(loads: Loads) -> None:
    plan = loads(
        "endpoints:\n"
        "  one: {preset: graphql-transport-ws, url: wss://h/}\n"
        "  two: {preset: graphql-transport-ws, url: wss://h/, tokens: {graphql: other}}\n"
        "tokens: {graphql: {env: A}, other: {env: B}}\n"
        "channels:\n"
        "  a: {endpoint: one, with: {query: q}}\n"
        "  b: {endpoint: two, with: {query: q}}\n"
    )
    assert [set(plan.channels[name].upstream.token_names) for name in "ab"] == [{"graphql"}, {"other"}]


@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [
        ("preset: slack, tokens: {slak: b}", "the preset uses no token 'slak'; did you mean 'slack'?"),
        ("preset: nostr, url: wss://h, tokens: {a: b}", "the preset uses no token 'a'; it uses none"),
        ("url: wss://h, tokens: {a: b}", "it names tokens of a preset, but 'preset:' is missing"),
        ("preset: slack, tokens: {slack: b}", "the preset 'slack' needs a token source 'b'; add it under 'tokens:'"),
    ],
)
def test_tokens_that_no_preset_has_are_refused(endpoint: str, problem: str, loads: Loads) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        loads(f"endpoints: {{api: {{{endpoint}}}}}\nchannels: {{c: {{endpoint: api, with: {{filter: {{}}}}}}}}\n")
