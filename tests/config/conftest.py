"""A file of given text, loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from wscli.config.loading import load
from wscli.config.plan import Plan
from wscli.errors import ConfigError

Loads = Callable[..., Plan]
Refuses = Callable[..., list[str]]


@pytest.fixture
def loads(tmp_path: Path) -> Loads:
    """Load text as ``app.yaml``."""

    def load_text(text: str, environ: Mapping[str, str] | None = None, *, name: str = "app.yaml") -> Plan:
        file = tmp_path / name
        file.write_text(text)
        return load(file, environ or {})

    return load_text


def said(file: Path, text: str | bytes, environ: Mapping[str, str]) -> ConfigError | None:
    """Load text or bytes as a file; give the error, if there is one."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    try:
        load(file, environ)
    except ConfigError as error:
        return error
    return None


@pytest.fixture
def refuses(tmp_path: Path) -> Refuses:
    """Load text or bytes that are invalid, and give the problems without the file's name."""

    def problems(text: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
        file = tmp_path / "app.yaml"
        error = said(file, text, environ or {})
        assert error is not None
        lines = str(error).split("\n")
        assert all(line.startswith(f"{file}:") for line in lines)
        return [line.removeprefix(f"{file}:").strip() for line in lines]

    return problems
