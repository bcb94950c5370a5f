"""docs/architecture.md names what is there, and its floors are the contracts that import-linter checks."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
TEXT = PAGE.read_text()
ROOMS = {path.parent.relative_to(ROOT / "wscli").as_posix() for path in (ROOT / "wscli").rglob("*.py")} - {"."}


def test_the_floors_are_the_import_contracts() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "generate_layers.py"))["page"]
    assert page(TEXT) == TEXT, "run `make docs`"


def test_every_file_that_is_named_is_there() -> None:
    for name in re.findall(r"`([\w/]+/[\w.]+\.py)`", TEXT):
        assert (ROOT / "wscli" / name).is_file() or (ROOT / name).is_file(), name


def test_every_room_that_is_named_is_there() -> None:
    for name in re.findall(
        r"`([\w/]+)/`", TEXT.replace("docs/", "").replace("`handlers/`", "").replace("`assets/`", "")
    ):
        assert name.removeprefix("wscli/") in ROOMS | {"wscli"}, name


def test_every_room_at_the_top_is_named() -> None:
    assert {room for room in ROOMS if "/" not in room} - {"daemon"} <= set(re.findall(r"`([\w/]+)/`", TEXT))
