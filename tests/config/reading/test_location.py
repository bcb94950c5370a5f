"""A problem put into a valid file is found where it was put."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.config.conftest import said
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Mark
from wscli.config.reading.parse import parse_yaml
from wscli.config.reading.problems import FileProblems, path_text

VALID = """\
version: 1
name: here
announce_after: 5s
endpoints:
  api:
    url: ws://h/ws
    query: {token: "{token.session}", lang: de}
    headers:
      Origin: https://example.com
      X-Note: >-
        folded
        text
    subprotocols: [a, "b.{token.session}"]
    connect: {timeout: 5s, rate: 5/s}
    keepalive: {ping: 5s, timeout: 1s}
    verdicts: {4401: reauth, 5xx: {retry: 1m}}
    backoff: slow
tokens:
  session:
    http:
      post: https://h/token
      headers: {Authorization: Bearer x}
      form: {grant: y}
    read: {token: .token}
    refresh: 50%
  other: {command: [prog, arg], expires_in: 1h}
backoff:
  default: {max: 1m}
  slow: {initial: 2s, give_up: {attempts: 3}}
channels:
  one: {endpoint: api, path: /one}
  two/{id}:
    endpoint: api
    path: /two/{id}
    history: {keep: 5, max_size: 1MiB}
    backoff: {jitter: none}
"""
"""Of both forms, with folded text, so that lines and columns have something to be wrong about."""

ROOT = Located(parse_yaml(VALID, FileProblems("app.yaml")))
FREE = ("headers", "query", "verdicts", "5xx", "form", "endpoints", "tokens", "backoff", "channels", "give_up")
"""Mappings whose keys are the file's own, or which without one of their keys are of no known form at all."""


def keyed(located: Located) -> Iterator[Located]:
    """Give what has a key of ours, at any depth."""
    for _, child in located.entries():
        if located.key not in FREE or located.path == ("channels", "two/{id}", "backoff"):
            yield child
        yield from keyed(child)
    for item in located.items():
        yield from keyed(item)


def put(mark: Mark, text: str, *, instead_of: str = "") -> str:
    lines = VALID.split("\n")
    line, at = lines[mark.line - 1], mark.column - 1
    lines[mark.line - 1] = line[:at] + text + line[at + len(instead_of) :]
    return "\n".join(lines)


def problems(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "app.yaml"
    error = said(file, text, {})
    return [] if error is None else [line.removeprefix(f"{file}:") for line in str(error).split("\n")]


def test_the_file_is_valid(tmp_path: Path) -> None:
    assert problems(tmp_path, VALID) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(list(keyed(ROOT))))
def test_a_misspelt_key_is_found_at_its_line_and_column(tmp_path: Path, located: Located) -> None:
    """``xyzzy_`` before any key makes it unknown; what is missing then comes on top."""
    mark = located.key_at
    where = path_text((*located.path[:-1], f"xyzzy_{located.key}"))
    start = f"{mark.line}:{mark.column}: {where}: unknown key"
    assert [line for line in problems(tmp_path, put(mark, "xyzzy_")) if line.startswith(start)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from([leaf for leaf in ROOT.leaves() if leaf.key != "X-Note"]))
def test_an_unset_variable_is_found_at_its_line_and_column(tmp_path: Path, leaf: Located) -> None:
    (line, column), text = leaf.mark, leaf.text or ""
    written = VALID.split("\n")[line - 1][column - 1 :]
    if written.startswith('"'):
        damaged = put(Mark(line, column + 1), "${UNSET}")
    else:
        assert written.startswith(text)
        damaged = put(leaf.mark, "'${UNSET}'", instead_of=text)
    assert f"{line}:{column}: {path_text(leaf.path)}: ${{UNSET}} is not set" in "\n".join(problems(tmp_path, damaged))


def test_all_problems_come_at_once_and_in_order(tmp_path: Path) -> None:
    text = VALID.replace("path:", "paht:").replace("5s", "5").replace("token.session", "token.sesion")
    places = [tuple(map(int, line.split(":")[:2])) for line in problems(tmp_path, text)]
    assert len(places) == 7
    assert places == sorted(places)
