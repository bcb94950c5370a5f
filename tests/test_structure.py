"""The size of files and functions, and one meaning for each exported name."""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {path: path.read_text() for path in sorted((ROOT / "wscli").rglob("*.py"))}
COPIED = ROOT / "tests/adapter/websockets_tests"
TESTS = {path: path.read_text() for path in sorted((ROOT / "tests").rglob("*.py")) if COPIED not in path.parents}
MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 50
MOST_FILES = 12
MOST_FLOORS = 6
ONE_VERB_A_FILE = {"cli"}


def exported(text: str) -> list[str]:
    """Give the names in ``__all__``."""
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in statement.targets
        ):
            names: list[str] = ast.literal_eval(statement.value)
            return names
    return []


def functions(text: str) -> Iterator[tuple[str, int]]:
    """Give each function's name and number of lines."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_and_its_functions_are_short(path: Path) -> None:
    assert SOURCES[path].count("\n") <= MOST_LINES
    assert [(name, lines) for name, lines in functions(SOURCES[path]) if lines > MOST_LINES_OF_A_FUNCTION] == []


def test_a_file_of_tests_is_short() -> None:
    assert [path.name for path, text in TESTS.items() if text.count("\n") > MOST_LINES] == []


def test_an_exported_name_is_unique() -> None:
    homes = defaultdict(list)
    for path, text in SOURCES.items():
        if path.name != "__init__.py":  # which only names again what its modules export
            for name in exported(text):
                homes[name].append(path.relative_to(ROOT).as_posix())
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def depths(graph: grimp.ImportGraph, room: str) -> dict[str, int]:
    """Give each module or folder of a room its floor: 1 for one that imports none of its neighbours."""
    inside = graph.find_children(room)

    @functools.cache
    def floor(child: str) -> int:
        parts = {child, *graph.find_descendants(child)}
        imported = {f"{name}." for part in parts for name in graph.find_modules_directly_imported_by(part)}
        below = [other for other in inside - {child} if any(name.startswith(f"{other}.") for name in imported)]
        return 1 + max(map(floor, below), default=0)

    return {child: floor(child) for child in inside}


def test_a_room_has_at_most_six_floors() -> None:
    graph = grimp.build_graph("wscli", exclude_type_checking_imports=False)
    rooms = [name for name in graph.modules if "." in name and graph.find_children(name)]
    assert {room: most for room in rooms if (most := max(depths(graph, room).values())) > MOST_FLOORS} == {}


def test_a_room_has_at_most_a_dozen_files() -> None:
    rooms = defaultdict(list)
    for path in SOURCES:
        if path.name not in ("__init__.py", "__main__.py"):  # the faces of a package
            rooms[path.parent.relative_to(ROOT / "wscli").as_posix()].append(path.name)
    assert {
        room: files for room, files in rooms.items() if len(files) > MOST_FILES and room not in ONE_VERB_A_FILE
    } == {}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_prose_is_plain(path: Path) -> None:
    """Phrases that a reader in a hurry must read twice."""
    assert re.findall(r"\b(?:[Nn]obody|that is none|(?<!here )is no (?!such|longer)\w+)\b", SOURCES[path]) == []
