"""docs/compatibility.md names, for each thing that happens in the field, a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in (ROOT / "docs" / "compatibility.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| ---", "| What happens"))
]
TESTS = [reference for row in ROWS for reference in re.findall(r"`(tests/[^`]+)`", row[-1])]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_names_a_test(row: list[str]) -> None:
    assert len(row) == 3
    assert re.search(r"`tests/[^`]+::test_\w+`", row[2])


@pytest.mark.parametrize("reference", TESTS)
def test_a_named_test_exists(reference: str) -> None:
    path, _, name = reference.partition("::")
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert name in {node.name for node in ast.walk(ast.parse((ROOT / path).read_text())) if isinstance(node, functions)}
