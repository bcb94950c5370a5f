"""docs/architecture.md names what is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text()
ROOMS = {path.parent.relative_to(ROOT / "wscli").as_posix() for path in (ROOT / "wscli").rglob("*.py")} - {"."}


def test_every_file_that_is_named_is_there() -> None:
    for name in re.findall(r"`([\w/]+/[\w.]+\.py)`", TEXT):
        assert (ROOT / "wscli" / name).is_file() or (ROOT / name).is_file(), name


def test_every_room_that_is_named_is_there() -> None:
    text = TEXT.replace("docs/", "").replace("`handlers/`", "").replace("`assets/`", "")
    for name in re.findall(r"`([\w/]+)/`", text):
        assert name.removeprefix("wscli/") in ROOMS | {"wscli"}, name


def test_every_room_at_the_top_is_named() -> None:
    assert {room for room in ROOMS if "/" not in room} - {"daemon"} <= set(re.findall(r"`([\w/]+)/`", TEXT))
