"""``wscli reload``: apply what changed in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from wscli.cli.options import json_option, with_instance
from wscli.cli.printing import json_lines, put
from wscli.control.client import ask
from wscli.control.selection import Selection
from wscli.control.text import escape

if TYPE_CHECKING:
    from wscli.control.messages import Reload

__all__ = ["report_text"]


def report_text(report: Reload) -> str:
    """Show what happened, a line for each kind that did."""
    width = max(len(kind) for kind in report)
    lists = cast("dict[str, list[str]]", report).items()
    return "".join(f"{kind.ljust(width)}  {escape(', '.join(names))}\n" for kind, names in lists if names)


@click.command("reload")
@with_instance
@json_option("One JSON object, with a list of channels for each kind.")
def command(selection: Selection, as_json: bool) -> int:
    """Apply what changed in the file.

    An invalid file changes nothing and exits with 3. Of the channels: kept ones did not change; updated ones took
    another policy without a new connection; rotated ones, which declare 'rotate', close theirs once the next is ready;
    restarted ones dial anew; added and removed ones came and went.
    """
    report: Reload = ask(selection, "reload", timeout=60.0)
    put(json_lines([report]) if as_json else report_text(report))
    return 0
