"""Broken files, and exactly what is said of each: ``broken/*.txt``, a file's text followed by its ``>>>`` lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from wscli.config.reading.parse import parse_yaml
from wscli.config.reading.problems import FatalProblem, FileProblems

TABLES = Path(__file__).parent / "broken"
LIBRARIES = (
    "pydantic",
    "validation error",
    "Input should be",
    "Field required",
    "while parsing",
    "expected <",
    "token(",
)
ENVIRON = {"SECRET": "s3cr3t-{x}", "BRACES": "{s3cr3t}", "EMPTY": "", "HOME": "/home/me"}


def cases(pattern: str = "*") -> list[object]:
    found: list[object] = []
    for table in sorted(TABLES.glob(f"{pattern}.txt")):
        for case in table.read_text().removeprefix("=== ").split("\n=== "):
            name, *lines = case.split("\n")
            text = "".join(f"{line}\n" for line in lines if line and not line.startswith(">>> "))
            expected = [line.removeprefix(">>> ") for line in lines if line.startswith(">>> ")]
            found.append(pytest.param(text, expected, id=f"{table.stem}: {name}"))
    return found


def test_there_are_many() -> None:
    assert len(cases()) >= 230


@pytest.mark.parametrize(("text", "expected"), cases())
def test_every_problem_is_said_with_its_place(
    text: str, expected: list[str], refuses: Callable[..., list[str]], tmp_path: Path
) -> None:
    (tmp_path / "here.pem").touch()
    assert refuses(text, ENVIRON) == expected
    assert not [word for word in ("s3cr3t", *LIBRARIES) if word in "\n".join(expected)]


@pytest.mark.parametrize(("text", "expected"), cases("syntax"))
def test_without_libyaml_the_same_is_said(text: str, expected: list[str]) -> None:
    """PyYAML may be installed without its C half; its own parser words everything otherwise."""
    assert _said(text, yaml.SafeLoader) == _said(text, yaml.CSafeLoader)


def _said(text: str, loader: type) -> list[str]:
    problems = FileProblems("app.yaml")
    try:
        parse_yaml(text, problems, loader=loader)
    except FatalProblem as fatal:
        return str(problems.error(fatal)).split("\n")
    return str(problems.error()).split("\n") if problems else []
