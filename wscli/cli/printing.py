"""Data on stdout, words on stderr; colour only on a terminal, and never with NO_COLOR."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable

import click

from wscli.control.text import escape

__all__ = ["json_lines", "note", "put", "styled"]


def styled(text: str, stream: object, **style: object) -> str:
    """Colour text if it goes to a terminal and NO_COLOR is not set (https://no-color.org)."""
    isatty = getattr(stream, "isatty", None)
    if os.environ.get("NO_COLOR") or isatty is None or not isatty():
        return text
    return click.style(text, **style)  # type: ignore[arg-type]  # passed through as it came


def put(text: str) -> None:
    """Write data to stdout at once, in a pipe as well; a stdout that was closed from the start takes nothing."""
    if sys.stdout is not None:
        sys.stdout.write(text)
        sys.stdout.flush()


def json_lines(objects: Iterable[object]) -> str:
    """Write objects as JSON, one a line."""
    return "".join(json.dumps(one, separators=(",", ":")) + "\n" for one in objects)


def note(text: str) -> None:
    """Say something beside the data: one escaped line on stderr."""
    if sys.stderr is not None:
        sys.stderr.write(escape(text) + "\n")
        sys.stderr.flush()
