"""A problem put into a valid file is found where it was put."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.config.conftest import said
from wscli.config.reading.nodes import Branch, Items, Leaf, Mark, Node
from wscli.config.reading.nodes import Path as TreePath
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

ROOT = parse_yaml(VALID, FileProblems("app.yaml"))
FREE = ("headers", "query", "verdicts", "5xx", "form", "endpoints", "tokens", "backoff", "channels", "give_up")
"""Mappings whose keys are the file's own, or which without one of their keys are of no known form at all."""


def nodes(node: Node, path: TreePath = ()) -> Iterator[tuple[TreePath, Node]]:
    yield path, node
    if isinstance(node, Branch):
        for key, entry in node.entries.items():
            yield from nodes(entry.value, (*path, key))
    elif isinstance(node, Items):
        for place, item in enumerate(node.items):
            yield from nodes(item, (*path, place))


KEYED = [
    (entry.key_mark, (*path, key))
    for path, node in nodes(ROOT)
    if isinstance(node, Branch) and not (path and path[-1] in FREE and path != ("channels", "two/{id}", "backoff"))
    for key, entry in node.entries.items()
]
LEAVES = [(node.mark, path) for path, node in nodes(ROOT) if isinstance(node, Leaf)]


def put(mark: Mark, text: str) -> str:
    lines = VALID.split("\n")
    line = lines[mark.line - 1]
    lines[mark.line - 1] = line[: mark.column - 1] + text + line[mark.column - 1 :]
    return "\n".join(lines)


def problems(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "app.yaml"
    error = said(file, text, {})
    return [] if error is None else [line.removeprefix(f"{file}:") for line in str(error).split("\n")]


def test_the_file_is_valid(tmp_path: Path) -> None:
    assert problems(tmp_path, VALID) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(KEYED))
def test_a_misspelt_key_is_found_at_its_line_and_column(tmp_path: Path, keyed: tuple[Mark, TreePath]) -> None:
    """``xyzzy_`` before any key makes it unknown; what is missing then comes on top."""
    mark, path = keyed
    where = path_text((*path[:-1], f"xyzzy_{path[-1]}"))
    start = f"{mark.line}:{mark.column}: {where}: unknown key"
    assert [line for line in problems(tmp_path, put(mark, "xyzzy_")) if line.startswith(start)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from([leaf for leaf in LEAVES if leaf[1][-1] != "X-Note"]))
def test_an_unset_variable_is_found_at_its_line_and_column(tmp_path: Path, leaf: tuple[Mark, TreePath]) -> None:
    mark, path = leaf
    quoted = VALID.split("\n")[mark.line - 1][mark.column - 1] == '"'
    found = problems(tmp_path, put(Mark(mark.line, mark.column + 1), "${UNSET}") if quoted else replaced(mark, path))
    assert f"{mark.line}:{mark.column}: {path_text(path)}: ${{UNSET}} is not set" in "\n".join(found)


def replaced(mark: Mark, path: TreePath) -> str:
    """Put the variable in place of a plain scalar."""
    lines = VALID.split("\n")
    line = lines[mark.line - 1]
    node: Node = ROOT
    for step in path:
        node = node.items[step] if isinstance(node, Items) else node.entries[str(step)].value  # type: ignore[union-attr]
    assert isinstance(node, Leaf)
    end = mark.column - 1 + len(node.value)
    assert line[mark.column - 1 : end] == node.value
    lines[mark.line - 1] = f"{line[: mark.column - 1]}'${{UNSET}}'{line[end:]}"
    return "\n".join(lines)


def test_all_problems_come_at_once_and_in_order(tmp_path: Path) -> None:
    text = VALID.replace("path:", "paht:").replace("5s", "5").replace("token.session", "token.sesion")
    places = [tuple(map(int, line.split(":")[:2])) for line in problems(tmp_path, text)]
    assert len(places) == 7
    assert places == sorted(places)
