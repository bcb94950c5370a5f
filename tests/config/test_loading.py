"""A file's name, which is known before its variables are, and the nulls that a JSON body may have."""

from __future__ import annotations

from pathlib import Path

import pytest

from wscli.config.loading import load, name_of
from wscli.errors import ConfigError

UNSET = "endpoints: {api: {url: '${URL}'}}\nchannels: {a: {endpoint: nowhere}}\n"


def test_a_file_has_its_name_before_it_is_valid(tmp_path: Path) -> None:
    file = tmp_path / "My App.yaml"
    file.write_text(UNSET)
    with pytest.raises(ConfigError):
        load(file, {})
    assert name_of(file, {}) == "my-app"
    file.write_text("name: ${WHO:-other}\n" + UNSET)
    assert name_of(file, {}) == "other"
    assert name_of(file, {"WHO": "me"}) == "me"


def test_a_name_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    for text in ("name: ../x\n", "name: ''\n", "name: [a]\n", "- a\n", "{"):
        file.write_text(text)
        with pytest.raises(ConfigError, match=r"app\.yaml:\d:"):
            name_of(file, {})
    with pytest.raises(ConfigError):
        name_of(tmp_path / "missing.yaml", {})


CALLS = """
version: 1
endpoints: {{api: {{url: ws://h}}}}
tokens:
  json: {{http: {{post: "http://h", headers: {{A: {header}}}, json: {{a: null}}}}}}
channels:
  c:
    endpoint: api
    backfill: {{id: .id, http: {{post: "http://h", json: {{after: "{{gap.after}}", cursor: null}}}}}}
"""


def test_every_json_body_may_have_nulls(tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_text(CALLS.format(header="b"))
    assert load(file, {}).channels["c"].backfill is not None


def test_a_token_named_json_may_not(tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_text(CALLS.format(header="~"))
    with pytest.raises(ConfigError, match=r"tokens\.json\.http\.headers\.A: '~' is not a value here"):
        load(file, {})
