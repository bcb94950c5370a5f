"""The configuration: YAML with line numbers in, a `Plan` out.

The functions import the reader when they are called: most users of this package need the types of a plan alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wscli.config.plan import Plan

__all__ = ["json_schema", "load", "name_of", "redacted"]


def load(file: Path, environ: Mapping[str, str]) -> Plan:
    """Read a file into a plan; ``-`` is stdin.

    Raises:
        ConfigError: with one line for each problem, sorted by place: ``app.yaml:12:5: channels.calls.backof: ...``.
    """
    from wscli.config.loading import read_plan

    return read_plan(file, environ)[1]


def name_of(file: Path, environ: Mapping[str, str]) -> str:
    """Give the name of a file's instance, whatever else may be wrong with the file.

    Raises:
        ConfigError: the file cannot be read, or its name is invalid.
    """
    from wscli.config.loading import read_name

    return read_name(file, environ)


def redacted(file: Path, environ: Mapping[str, str], *, as_json: bool = False) -> str:
    """Give a valid file back as YAML (or JSON) with ``***`` for every secret.

    Raises:
        ConfigError: as for ``load``.
    """
    from wscli.config.loading import read_plan
    from wscli.config.redact import to_json, to_yaml

    root, _ = read_plan(file, environ)
    return to_json(root) if as_json else to_yaml(root)


def json_schema() -> dict[str, Any]:
    """Describe the file as JSON Schema, draft 2020-12, for editors."""
    from wscli.config.schema import file_schema

    return file_schema()
