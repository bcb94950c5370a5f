"""docs/architecture.md: the files and names that it sends its reader to are there."""

from __future__ import annotations

import importlib
import operator
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text()
FILES = {path.relative_to(ROOT / "wscli").as_posix() for path in (ROOT / "wscli").rglob("*.py")}
PLACES = [
    (file, name)
    for file, names in re.findall(r"`([\w/]+)\.py`: ((?:`[\w.]+`(?:, )?)+)", TEXT)
    for name in re.findall(r"`([\w.]+)`", names)
]


def test_every_file_that_is_named_is_there() -> None:
    outside = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.py")}
    for name in re.findall(r"`([\w/]+\.py)`", TEXT):
        assert any(f"/{file}".endswith(f"/{name}") for file in FILES | outside), name


def test_every_module_of_the_manager_is_named() -> None:
    named = {name.rpartition("/")[2] for name in re.findall(r"`([\w/]+\.py)`", TEXT)}
    modules = {path.name for path in (ROOT / "wscli" / "daemon").glob("*.py")} - {"__init__.py"}
    assert modules <= named


@pytest.mark.parametrize(("file", "name"), PLACES)
def test_every_place_that_is_named_is_there(file: str, name: str) -> None:
    operator.attrgetter(name)(importlib.import_module(f"wscli.{file.replace('/', '.')}"))
