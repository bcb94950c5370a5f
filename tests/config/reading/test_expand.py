"""``${VAR}`` and its kin."""

from __future__ import annotations

import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.config.conftest import Loads
from wscli.config.reading.expand import expand
from wscli.values import Scalar

ENVIRON = {"A": "one", "B": "two", "EMPTY": "", "BRACES": "{token.x} ${A} $$"}

names = st.sampled_from([*ENVIRON, "UNSET", "ALSO_UNSET"])
texts = st.text(string.ascii_letters + " .:/@-äß'\"\n", max_size=8)
pieces = st.one_of(
    texts.map(lambda text: (text, text, text)),
    st.just(("$$", "$", "$")),
    names.filter(ENVIRON.__contains__).map(lambda name: (f"${{{name}}}", ENVIRON[name], "***")),
    st.tuples(names, texts).map(lambda pair: (f"${{{pair[0]}:-{pair[1]}}}", ENVIRON.get(pair[0]) or pair[1], "***")),
)


@given(st.lists(pieces, max_size=6))
def test_each_piece_gives_what_it_stands_for(parts: list[tuple[str, str, str]]) -> None:
    written, full, redacted = ("".join(column) for column in zip(*parts, strict=True)) if parts else ("", "", "")
    scalar, wrong = expand(Scalar(written), ENVIRON)
    assert (str(scalar), scalar.redacted, wrong) == (full, redacted, [])


@given(st.text("${}:-?ABUNSET.$ \n", max_size=20))
def test_any_text_expands_or_says_why(text: str) -> None:
    scalar, wrong = expand(Scalar(text), ENVIRON)
    assert wrong or "${" not in text or "${" in ENVIRON["BRACES"]
    assert all(isinstance(sentence, str) for sentence in wrong)
    assert isinstance(scalar, Scalar)


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("$A", "$A"),
        ("$", "$"),
        ("$$A", "$A"),
        ("$${A}", "${A}"),
        ("$$${A}", "$one"),
        ("{A}", "{A}"),
        ("${EMPTY}", ""),
        ("${EMPTY:-x}", "x"),
        ("${A:?needed}", "one"),
        ("${UNSET:-}", ""),
        ("${UNSET:-$$5}", "$5"),
        ("${UNSET:-a:-b?c}", "a:-b?c"),
        ("${BRACES}", "{token.x} ${A} $$"),
    ],
)
def test_what_is_expanded_and_what_is_not(text: str, full: str) -> None:
    """Only braces make a variable, and its value is not expanded again."""
    assert expand(Scalar(text), ENVIRON)[0] == full


def test_text_of_the_environment_is_never_a_json_number() -> None:
    """A password of digits stays text in a JSON body, whatever it looks like."""
    assert expand(Scalar("${A}"), {"A": "0123"})[0].plain is False
    assert expand(Scalar("$$5"), {})[0].plain is True


def test_bytes_of_another_encoding_are_refused() -> None:
    assert expand(Scalar("${A}"), {"A": "\udcff"})[1] == ["${A} is not valid UTF-8"]


FILLED = """\
endpoints:
  api: {url: "ws://${HOST}:${PORT:-80}/ws", subprotocols: ["${SUB}", b], headers: {X: "a${HOST}"}}
channels:
  c:
    endpoint: ${NAME}
    linger: ${LINGER}
    path: >-
      ${PATH_OF_C}
"""


def test_every_value_is_filled(loads: Loads) -> None:
    plan = loads(FILLED, {"HOST": "h", "SUB": "chat", "NAME": "api", "LINGER": "3s", "PATH_OF_C": "/p"})
    channel = plan.channels["c"]
    assert channel.upstream.dial.url.reveal() == "ws://h:80/ws"
    assert channel.upstream.dial.shown_url == "ws://***:***/ws"
    assert [template.render({}) for template in channel.upstream.dial.subprotocols] == ["chat", "b"]
    assert channel.upstream.dial.headers["X"].render({}) == "ah"
    assert (channel.linger, channel.upstream.dial.path.render({})) == (3.0, "/p")


def test_a_placeholder_in_a_variable_is_text(loads: Loads) -> None:
    """Who sets a variable writes no template: a secret may look like one."""
    plan = loads(
        "endpoints: {api: {url: ws://h, headers: {X: '${V}', Y: '{token.t}${V}'}}}\n"
        "tokens: {t: {value: x}}\nchannels: {c: {endpoint: api}}\n",
        {"V": "{token.other} {nospace.x}"},
    )
    headers = plan.channels["c"].upstream.dial.headers
    assert headers["X"].render({}) == "{token.other} {nospace.x}"
    assert headers["Y"].render({"token": {"t": "T"}}) == "T{token.other} {nospace.x}"


def test_the_plan_knows_what_variables_held_and_does_not_print_it(
    loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who quotes a command's words cuts these out of them."""
    for name, value in {"V": "hunter2", "U": "not asked for", "W": ""}.items():
        monkeypatch.setenv(name, value)
    plan = loads(
        "endpoints: {api: {url: ws://h, headers: {X: 'a ${V}', Y: '${W:-default}', Z: '$${U}'}}}\n"
        "channels: {c: {endpoint: api}}\n",
        os.environ,  # which takes no key that is not a text
    )
    assert plan.secrets == {"hunter2"}
    assert "hunter2" not in repr(plan)
