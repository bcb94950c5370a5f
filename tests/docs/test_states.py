"""docs/states.md shows the table that the machine obeys."""

from __future__ import annotations

import runpy
from pathlib import Path

from wscli.core.states import ChannelState

DOCS = Path(__file__).parents[2] / "docs"


def test_the_diagram_is_the_one_that_the_table_gives() -> None:
    page = runpy.run_path(str(DOCS / "generate_states.py"))["page"]
    text = (DOCS / "states.md").read_text()
    assert page(text) == text, "run `make docs`"


def test_every_state_is_explained() -> None:
    text = (DOCS / "states.md").read_text()
    assert [state for state in ChannelState if f"| `{state}` |" not in text] == []
