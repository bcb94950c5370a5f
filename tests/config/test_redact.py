"""``config show``: the file, printed so that it loads again."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from wscli.config.loading import read_plan
from wscli.config.reading.nodes import plain
from wscli.config.reading.parse import parse_yaml
from wscli.config.reading.problems import FileProblems
from wscli.config.redact import redacted
from wscli.values import Scalar

TEXT = """\
version: 1
name: "42"
endpoints:
  api: {url: wss://h/ws, subprotocols: [a, "{token.t}"], verdicts: {4401: stop}}
tokens:
  t: {command: [prog, --flag], expires_in: 50m}
gateway: {auth: none}
channels:
  c: &c {endpoint: api, critical: false, history: {keep: 10}}
  d: *c
"""


PRINTED = """\
version: 1
name: "42"
endpoints:
  api:
    url: wss://h/ws
    subprotocols:
      - a
      - "{token.t}"
    verdicts:
      4401: stop
tokens:
  t:
    command:
      - prog
      - --flag
    expires_in: 50m
gateway:
  auth: none
channels:
  c: &c
    endpoint: api
    critical: false
    history:
      keep: 10
  d: *c
"""


def test_the_order_and_the_quotes_are_kept(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(TEXT)
    before, channel = PRINTED.removesuffix("  d: *c\n").split("  c: &c\n")
    assert redacted(read_plan(tmp_path / "app.yaml", {})[0]) == f"{before}  c:\n{channel}  d:\n{channel}"


def test_as_json_plain_scalars_have_their_types(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(TEXT)
    shown = json.loads(redacted(read_plan(tmp_path / "app.yaml", {})[0], as_json=True))
    assert (shown["version"], shown["name"]) == (1, "42")
    assert shown["channels"]["d"] == {"endpoint": "api", "critical": False, "history": {"keep": 10}}


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12)


@given(st.dictionaries(texts.filter(lambda key: "<<" not in key and "${" not in key), texts, min_size=1, max_size=4))
def test_what_is_printed_reads_the_same(tree: dict[str, str]) -> None:
    """Plain text stays plain where it may, and is quoted where it would be something else."""
    written = yaml.safe_dump({"x": tree}, allow_unicode=True)
    if any(sign in written for sign in "\x85\u2028\u2029\ufeff"):
        written = yaml.safe_dump({"x": tree}, allow_unicode=False)
    root = parse_yaml(written, FileProblems("app.yaml"))
    again = parse_yaml(redacted(root), FileProblems("app.yaml"))
    assert plain(again) == {"x": tree}


def test_a_scalar_that_only_looks_plain_is_quoted() -> None:
    root = parse_yaml("a: '*b'\nc: '123'\nd: 123\n", FileProblems("app.yaml"))
    assert redacted(root) == 'a: "*b"\nc: "123"\nd: 123\n'
    assert isinstance(root.entries["a"].value.value, Scalar)  # type: ignore[union-attr]  # text, by the file above


SESSION = """\
endpoints:
  api:
    url: "{var.url?wss://h/ws?a=b}"
    url_hosts: [h]
    session:
      before:
        - http: {post: "https://me:pw@h/{with.a?x?y}?key=s3cret", headers: {A: s3cret}, json: {a: [s3cret]}}
          set: {url: .url}
      hello: [{send: {type: login, headers: {a: b}, key: "${KEY}"}, expect: {query: {c: d}}}]
channels:
  c: {endpoint: api, with: {a: 10, query: q, key: "${KEY}"}}
"""


def test_of_a_session_messages_are_shown_and_calls_hide_their_secrets(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text(SESSION)
    shown = yaml.safe_load(redacted(read_plan(tmp_path / "app.yaml", {"KEY": "s3cret"})[0]))
    assert shown["endpoints"]["api"] == {
        "url": "{var.url?wss://h/ws?a=b}",
        "url_hosts": ["h"],
        "session": {
            "before": [
                {
                    "http": {
                        "post": "https://***@h/{with.a?x?y}?key=***",
                        "headers": {"A": "***"},
                        "json": {"a": ["***"]},
                    },
                    "set": {"url": ".url"},
                }
            ],
            "hello": [
                {"send": {"type": "login", "headers": {"a": "b"}, "key": "***"}, "expect": {"query": {"c": "d"}}}
            ],
        },
    }
    assert shown["channels"]["c"]["with"] == {"a": 10, "query": "q", "key": "***"}
