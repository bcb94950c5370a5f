"""Whatever stands under ``session:``, a file is valid, or its problems have places; never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import EXAMPLES
from wscli.config.loading import load
from wscli.config.reading.parse import MAX_NODES
from wscli.config.schema import places
from wscli.errors import ConfigError

KEYS = sorted({key.place[-1] for key in places().values() if key.place[:2] == ("endpoints", "session")} | {"x-a", "a"})
TEXTS = [
    "{var.a}", "{sub.ref}", "{sub.a}", "{with.a}", "{with.b?}", "{param.id}", "{token.t}", "{token.u?}", "{sent.ref}",
    "{ref.int}", "{ref.uuid}", "{msg}", "{msg.a.b}", "{now.ms}", "{any}", "{absent}", "{in:a|1-5}", "{nope.x}", ".a",
    ".a[]", ".a|fromjson", "stop", "gap", "logged", "kept", "random", "none", "5s", "{var.a}ms", "https://h/{with.a}",
    "wss://{var.a}", "(?P<a>x+)", "(x+)+", "true", "null", "", "5/s", "4000", "ping", "\0", "with.a", "token.t", "{",
]  # fmt: skip
LEAVES = st.one_of(st.sampled_from(TEXTS), st.integers(-5, 5000), st.booleans(), st.none(), st.text(max_size=5))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, *TEXTS]), inner, max_size=4),
    max_leaves=25,
)
STEPS = st.lists(st.dictionaries(st.sampled_from(KEYS), TREES, max_size=4), max_size=3)
SESSIONS = st.dictionaries(st.sampled_from(KEYS), TREES | STEPS, max_size=6)


def problems(file: Path, text: str) -> list[str]:
    file.write_text(text)
    try:
        load(file, {})
    except ConfigError as error:
        return error.message.split("\n")
    return []


def loads_or_says_why(file: Path, tree: Any) -> None:
    found = problems(file, json.dumps(tree).replace("\x7f", ""))
    assert all(line.startswith(f"{file}:") for line in found)


@settings(max_examples=max(100, EXAMPLES // 30), deadline=None)
@given(session=SESSIONS | TREES, share=st.booleans(), url=st.sampled_from(["ws://h", "{var.a}", "wss://{with.a}/x"]))
def test_any_session_loads_or_says_why(
    tmp_path_factory: pytest.TempPathFactory, session: Any, share: bool, url: str
) -> None:
    endpoint = {"url": url, "url_hosts": ["h"], "share": share, "session": session}
    channels = {"c/{id}": {"endpoint": "api", "with": {"a": "x"}}}
    tree = {"endpoints": {"api": endpoint}, "tokens": {"t": {"env": "T"}}, "channels": channels}
    loads_or_says_why(tmp_path_factory.getbasetemp() / "fuzz.yaml", tree)


@settings(max_examples=100, deadline=None)
@given(values=TREES, keys=st.dictionaries(st.sampled_from(["preset", "session", "share", "url_hosts", "query"]), TREES))
def test_any_endpoint_and_values_load_or_say_why(
    tmp_path_factory: pytest.TempPathFactory, values: Any, keys: dict[str, Any]
) -> None:
    tree = {
        "endpoints": {"api": {"url": "ws://h", **keys}, "b": {"preset": "discord", **keys}},
        "channels": {"c/{id}": {"endpoint": "api", "with": values}, "b": {"endpoint": "b", "with": values}},
    }
    loads_or_says_why(tmp_path_factory.getbasetemp() / "fuzz.yaml", tree)


@pytest.mark.parametrize(
    "session",
    [
        "{hello: [{send: " + "[" * 100_000,
        "{hello: [" + "{send: a}, " * (MAX_NODES // 2) + "]}",
        "{hello: [&a {send: [a, a, a]}" + ", *a" * 20_000 + "]}",
        "{frames: {parse: ['" + "(?P<a>" * 5000 + "']}}",
        "{show: '" + ".a" * 100_000 + "'}",
    ],
    ids=["deep", "many", "aliases", "regex", "path"],
)
def test_much_of_it_is_refused_or_read_in_time(tmp_path: Path, session: str) -> None:
    text = f"endpoints: {{api: {{url: ws://h, session: {session}}}}}\nchannels: {{c: {{endpoint: api}}}}\n"
    assert len("\n".join(problems(tmp_path / "app.yaml", text))) < 1_000_000


def test_many_steps_are_read_in_time(tmp_path: Path) -> None:
    steps = ", ".join(f"{{send: {{id: '{{ref.int}}', n: {n}}}, expect: {{id: '{{sent.ref}}'}}}}" for n in range(2000))
    file = tmp_path / "app.yaml"
    file.write_text(
        f"endpoints: {{api: {{url: ws://h, session: {{hello: [{steps}]}}}}}}\nchannels: {{c: {{endpoint: api}}}}\n"
    )
    session = load(file, {}).channels["c"].upstream.session
    assert session is not None
    assert len(session.hello) == 2000
