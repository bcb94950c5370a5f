"""The configuration: YAML with line numbers in, a `Plan` out.

The functions import the reader when they are called: most users of this package need the types of a plan alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wscli.config.plan import Plan

__all__ = ["json_schema", "load", "name_of", "show"]


def load(file: Path, environ: Mapping[str, str]) -> Plan:
    """Read a file into a plan; ``-`` is stdin.

    Raises:
        ConfigError: with one line for each problem, sorted by place: ``app.yaml:12:5: channels.calls.backof: ...``.

    """
    from wscli.config.loading import load_plan

    return load_plan(file, environ)


def name_of(file: Path, environ: Mapping[str, str]) -> str:
    """Give the name of a file's instance, whatever else may be wrong with the file.

    Raises:
        ConfigError: it cannot be read, or its name cannot be used.

    """
    from wscli.config.loading import load_name

    return load_name(file, environ)


def show(file: Path, environ: Mapping[str, str], *, as_json: bool = False) -> str:
    """Give a valid file back as YAML (or JSON) with ``***`` for every secret.

    Raises:
        ConfigError: as for ``load``.

    """
    from wscli.config.loading import load_redacted

    return load_redacted(file, environ, as_json=as_json)


def json_schema() -> dict[str, Any]:
    """Describe the file as JSON Schema, draft 2020-12, for editors."""
    from wscli.config.schema import file_schema

    return file_schema()
