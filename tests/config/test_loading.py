"""The name alone of a file: known before its variables are, and whatever else is wrong with it."""

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
