"""Draw the import contracts of pyproject.toml in docs/architecture.md: ``python docs/generate_layers.py``."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("architecture.md")
PROJECT = Path(__file__).parents[1] / "pyproject.toml"
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"


def contracts() -> list[dict[str, Any]]:
    """Give the contracts that import-linter checks, in the file's order."""
    with PROJECT.open("rb") as file:
        found: list[dict[str, Any]] = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    return found


def diagram() -> str:
    """Draw each layers contract as floors, top first, and name the homes of third-party libraries."""
    parts = []
    for contract in contracts():
        if contract["type"] == "layers":
            room = contract["containers"][0].replace(".", "/")
            parts.append(f"`{room}/`: {contract['name']}.\n\n```text\n" + "\n".join(_floors(contract)) + "\n```")
        else:
            parts.append(f"{contract['name'][0].upper()}{contract['name'][1:]}.")
    return "\n\n".join(parts)


def _floors(contract: dict[str, Any]) -> list[str]:
    return [floor.replace(" | ", "   ").replace(" : ", "   ") for floor in contract["layers"]]


def page(text: str) -> str:
    """Put the diagram between the marks."""
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    return f"{head}{BEGIN}\n{diagram()}\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
