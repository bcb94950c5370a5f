"""Any bytes at all: a plan, or a ConfigError; never anything else, never for long."""

from __future__ import annotations

import string
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.config.conftest import Loads, Refuses, said
from tests.examples import SOME
from wscli.config.loading import load
from wscli.config.reading.nodes import plain
from wscli.config.reading.parse import MAX_ALIASED, MAX_DEPTH, MAX_NODES, parse_yaml
from wscli.config.reading.problems import FatalProblem, FileProblems
from wscli.config.reading.source import MAX_BYTES
from wscli.errors import ConfigError
from wscli.values import Scalar

LOADERS = [yaml.SafeLoader, yaml.CSafeLoader]
FRAGMENTS = st.sampled_from(
    [
        *("endpoints:", "channels:", "tokens:", "  api:", "url: ws://h", "{", "}", "[", "]", "&a ", "*a", "<<: ", "- "),
        *("? ", ": ", "\n", "\n  ", "\n    ", "'", '"', "|\n", "${X}", "${", "$$", "{token.t}", "!x ", "---\n"),
        *("...\n", "# c\n", "\t", "\ufeff", "\x85", "\u2028", "\\x00", "é", "null", "~", "4401: stop", "json: "),
        "backoff:",
    ]
)


def survives(file: Path, data: bytes) -> None:
    error = said(file, data, {"X": "x"})
    if error is not None:
        assert str(error)
        assert all(line.isprintable() for line in str(error).split("\n"))


SAMPLE = """\
version: 1
endpoints:
  api: {url: ws://h/ws, query: {t: "{token.t}"}, tls: {}, proxy: auto, keepalive: {ping: 5s}, verdicts: {5xx: stop}}
tokens:
  t: {http: {post: http://h, json: {a: [1, null]}}, read: {token: .t}}
backoff: {default: {max: 1m}, slow: {give_up: {attempts: 3}}}
channels:
  a: {endpoint: api, path: /a, backoff: slow}
  b/{id}: {endpoint: api, path: "/b/{id}", history: {keep: 5}}
"""
texts = st.lists(st.one_of(FRAGMENTS, st.text(max_size=4)), max_size=40).map("".join)
damaged = st.builds(
    lambda at, gone, put: SAMPLE[:at] + put + SAMPLE[at + gone :],
    st.integers(0, len(SAMPLE)),
    st.integers(0, 12),
    st.one_of(FRAGMENTS, st.text(max_size=3)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=SOME)
@given(st.one_of(st.binary(max_size=200), (texts | damaged).map(lambda text: text.encode(errors="replace"))))
def test_any_bytes_are_a_plan_or_a_config_error(tmp_path: Path, data: bytes) -> None:
    survives(tmp_path / "app.yaml", data)


words = st.text(string.ascii_letters + "äß_ -:{}[]'\"#&*!|>%@`,\n", min_size=1, max_size=12)
trees = st.recursive(words, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4))


@pytest.mark.parametrize("loader", LOADERS)
@settings(deadline=None)
@given(tree=st.dictionaries(words.filter(lambda key: "<<" not in key), trees, min_size=1, max_size=4))
def test_what_is_written_is_what_is_read(loader: type[Any], tree: dict[str, Any]) -> None:
    """Both of PyYAML's parsers read text, and nothing but text, as it was written."""
    problems = FileProblems("app.yaml")
    root = parse_yaml(yaml.safe_dump(tree, allow_unicode=True), problems, loader=loader)
    assert plain(root) == tree


@pytest.mark.parametrize("text", ["no", "12:30", "010", "4401", "1e3", "true", "2024-01-01", "0x10", "1_000", ".inf"])
def test_no_type_is_guessed(text: str) -> None:
    root = parse_yaml(f"a: {text}\nb: '{text}'\n", FileProblems("app.yaml"))
    read = plain(root)
    assert read == {"a": text, "b": text}
    assert isinstance(read["a"], Scalar)
    assert read["a"].plain
    assert not read["b"].plain


def test_places_are_those_of_an_editor() -> None:
    root = parse_yaml('a: 1\nbb:\n    - x\n    - {c: "é", d: y}\n', FileProblems("app.yaml"))
    assert root.entries["bb"].key_mark == (2, 1)
    items = root.entries["bb"].value.items  # type: ignore[union-attr]  # a list, by the text above
    assert items[0].mark == (3, 7)
    assert items[1].entries["d"].key_mark == (4, 16)
    assert items[1].entries["d"].value.mark == (4, 19)


def fatal(text: str, loader: type[Any]) -> str:
    with pytest.raises(FatalProblem) as caught:
        parse_yaml(text, FileProblems("app.yaml"), loader=loader)
    return caught.value.text


@pytest.mark.parametrize("loader", LOADERS)
class TestBombs:
    @pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "[{a: "])
    def test_deep_nesting_is_refused_before_it_is_read(self, loader: type[Any], opening: str) -> None:
        assert "nested more than" in fatal("a:\n  " + opening * 200_000, loader)

    def test_the_deepest_that_is_allowed(self, loader: type[Any]) -> None:
        levels = MAX_DEPTH - 2
        root = parse_yaml(f"a: {'[' * levels}x{']' * levels}", FileProblems("app.yaml"), loader=loader)
        assert root.height == MAX_DEPTH
        assert "nested more than" in fatal(f"a: {'[' * (levels + 1)}x{']' * (levels + 1)}", loader)

    def test_a_billion_laughs(self, loader: type[Any]) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
        assert f"more than {MAX_ALIASED} values" in fatal("\n".join(lines), loader)

    def test_depth_through_aliases(self, loader: type[Any]) -> None:
        lines = ["a0: &a0 [[[[[[[[x]]]]]]]]", *(f"a{n}: &a{n} [[[[*a{n - 1}]]]]" for n in range(1, 20))]
        assert "nested more than" in fatal("\n".join(lines), loader)

    def test_too_many_values(self, loader: type[Any]) -> None:
        if loader is yaml.CSafeLoader:
            assert "more than" in fatal("a: [" + "x," * MAX_NODES + "x]", loader)


def test_aliases_within_bounds_are_used(loads: Loads) -> None:
    plan = loads(
        "endpoints: {api: {url: ws://h}}\n"
        "channels:\n  a: {endpoint: api, history: &h {keep: 5}}\n  b: {endpoint: api, history: *h}\n"
    )
    assert plan.channels["a"].history == plan.channels["b"].history
    assert plan.channels["b"].history.keep == 5


ENCODINGS = {
    "not UTF-8": (b"a: 1\nb: \xff\n", "2:4: byte 0xff is not UTF-8"),
    "not UTF-8, after letters": ("é: ".encode() + b"\xc3(", "1:4: byte 0xc3 is not UTF-8"),
    "UTF-16": ("a: 1".encode("utf-16"), "1:1: the file is UTF-16; save it as UTF-8"),
    "UTF-32": ("a: 1".encode("utf-32"), "1:1: the file is UTF-32; save it as UTF-8"),
    "NUL": (b"a: 1\nb: x\0y\n", "2:5: the character U+0000 is not allowed in YAML; write it as an escape"),
    "control": (b"a: \x1b[31m\n", "1:4: the character U+001B is not allowed in YAML; write it as an escape"),
    "next line": ("a: x\x85b: y\n".encode(), "1:5: the character U+0085 is not allowed in YAML; write it as an escape"),
    "separator": ("a: \u2028x\n".encode(), "1:4: the character U+2028 is not allowed in YAML; write it as an escape"),
    "BOM inside": ("a: x\ufeff\n".encode(), "1:5: the character U+FEFF is not allowed in YAML; write it as an escape"),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_bytes_that_are_not_text_are_refused_where_they_stand(name: str, refuses: Refuses) -> None:
    data, expected = ENCODINGS[name]
    assert refuses(data) == [expected]


@pytest.mark.parametrize("breaks", ["\n", "\r\n"])
def test_a_byte_order_mark_and_carriage_returns_are_accepted(breaks: str, tmp_path: Path, refuses: Refuses) -> None:
    good = (
        "# yaml-language-server: $schema=wscli.schema.json\n"
        "endpoints: {a: {url: ws://h}}\nchannels: {c: {endpoint: a}}\n"
    )
    (tmp_path / "app.yaml").write_bytes(b"\xef\xbb\xbf" + good.replace("\n", breaks).encode())
    assert load(tmp_path / "app.yaml", {}).name == "app"
    bad = good.replace("endpoint:", "endpiont:").replace("\n", breaks).encode()
    assert refuses(b"\xef\xbb\xbf" + bad)[-1] == "3:16: channels.c.endpiont: unknown key; did you mean 'endpoint'?"


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    (tmp_path / "huge.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    for name, reason in {
        "missing.yaml": "there is no such file",
        ".": "it is a directory; name the file in it",
        "huge.yaml": "the file is larger than 4 MiB",
        "huge.yaml/x": "it cannot be read: not a directory",
        "x" * 300: "it cannot be read: file name too long",
        "nul\0": "it cannot be read: embedded null byte",
    }.items():
        with pytest.raises(ConfigError) as caught:
            load(tmp_path / name, {})
        assert str(caught.value).endswith(reason)
        assert caught.value.hint == "-c FILE names the file"


HOSTILE = {
    "unclosed variables": "name: '" + "${" * 100_000 + "'",
    "a token of every other": "tokens:\n"
    + "".join(
        f"  t{n}: {{value: '{''.join(f'{{token.t{other}}}' for other in range(n + 1, 200))}'}}\n" for n in range(200)
    ),
    "a chain of tokens": "tokens:\n" + "".join(f"  t{n}: {{value: '{{token.t{n + 1}}}'}}\n" for n in range(2000)),
    "templates alike": "channels:\n" + "".join(f"  'a{{x}}b{n}/{{y}}': {{endpoint: e}}\n" for n in range(500)),
    "a name of parameters": f"channels: {{'{'{a}b' * 50_000}': {{endpoint: e}}}}",
    "a path of parameters": f"channels: {{c: {{endpoint: e, path: '/{'{a}' * 50_000}'}}}}",
    "a long duration": f"announce_after: {'1s' * 100_000}",
    "a long number": f"channels: {{c: {{endpoint: e, history: {{keep: {'9' * 100_000}}}}}}}",
    "keys by the thousand": "".join(f"key{n}: 1\n" for n in range(2000)),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(20)
def test_nothing_takes_long(name: str, tmp_path: Path) -> None:
    """Each of these is linear, or nearly; were it quadratic or worse, it would take minutes, or not end."""
    survives(tmp_path / "app.yaml", HOSTILE[name].encode())
