"""docs/adapter.md: what it shows can be run, and the choices are those that there are."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from wscli.adapter import attach as attach_module
from wscli.adapter import fallback
from wscli.daemon.socket.server import CLIENT_LIMIT

TEXT = (Path(__file__).parents[2] / "docs" / "adapter.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_a_block_imports_what_there_is(block: str) -> None:
    imports = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom)]
    assert imports
    for node in imports:
        module = importlib.import_module(str(node.module))
        assert all(hasattr(module, alias.name) for alias in node.names)


def test_the_names_of_both_modules_are_told() -> None:
    for name in ("wscli.adapter", "wscli.adapter.sync"):
        (said,) = re.findall(rf"`{re.escape(name)}`\s+has\s+(.*?)[;.]\s", TEXT)
        newest = {"reconnect"} if name == "wscli.adapter.sync" else set()  # which the oldest version does not have
        assert set(re.findall(r"`(\w+)`", said)) == set(importlib.import_module(name).__all__) | newest


def test_the_choices_are_told() -> None:
    table = re.findall(r"^\| `([a-z]+)` \|", TEXT, re.MULTILINE)
    assert [fallback.check_choice({"WSCLI_FALLBACK": choice}) for choice in table] == table == ["direct", "error"]
    assert fallback.check_choice({}) == "direct"


def test_the_numbers_are_told() -> None:
    assert f"within {attach_module.ATTACH_PATIENCE:g} seconds" in TEXT
    assert f"the {CLIENT_LIMIT} clients of the control socket" in TEXT
