"""Write the diagrams of docs/states.md from the transition tables: ``python docs/generate_states.py``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from wscli.core.events import TaskCrashed
from wscli.core.transitions import CHANNEL_TABLE, OPEN, UPSTREAM_TABLE

PAGE = Path(__file__).with_name("states.md")
DRAWN = {"channel": CHANNEL_TABLE, "upstream": UPSTREAM_TABLE}
"""The table between the marks of each name."""
LEFT_OUT = TaskCrashed
"""Leads from every state of an upstream to ``failed``, which the page says in words."""


def diagram(table: Mapping[tuple[str | None, type], Iterable[str | None]]) -> str:
    """Draw a table as a Mermaid state diagram, with the events on the arrows that lead to another state."""
    arrows: dict[tuple[str | None, str | None], list[str]] = {}
    for (before, event), states in table.items():
        for after in states:
            if after != before and event is not LEFT_OUT:
                arrows.setdefault((before, after), []).append(_words(event))
    lines = [f"    {_name(before)} --> {_name(after)}: {', '.join(words)}" for (before, after), words in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> idle", *sorted(lines), "```"])


def _name(state: str | None) -> str:
    return "open" if state is OPEN else str(state)


def _words(event: type) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", event.__name__).lower()


def page(text: str) -> str:
    """Put each diagram between its marks."""
    for name, table in DRAWN.items():
        begin, end = f"<!-- generated {name}: begin -->", f"<!-- generated {name}: end -->"
        head, rest = text.split(begin)
        text = f"{head}{begin}\n{diagram(table)}\n{end}{rest.split(end)[1]}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
