"""``wscli reload``: apply what changed in the file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, cast

import click

from wscli.cli.options import json_option, with_instance
from wscli.cli.printing import json_lines, note, put
from wscli.control.client import ManagerConnection, connect_to
from wscli.control.selection import Selection
from wscli.control.text import escape

if TYPE_CHECKING:
    from wscli.control.messages import Reload

__all__ = ["apply_file", "report_text"]

_DEADLINE = 60.0
"""Seconds for the manager to read its file and apply it."""


def apply_file(
    client: ManagerConnection, *, ignore_unset: bool, timeout: float | None = None
) -> tuple[Reload, list[str]]:
    """Have a manager apply its file; return its report, and the variables of the file whose values differ here.

    They are printed on stderr. ``ignore_unset`` leaves out those that are not set here. ``timeout`` is in seconds, a
    minute at most.
    """
    from shlex import quote

    from wscli.control.environment import differing_variables

    answer: dict[str, Any] = client.request("reload", timeout=_DEADLINE if timeout is None else min(timeout, _DEADLINE))
    theirs, name = answer.pop("environment", None), client.instance.name
    names = [] if theirs is None else differing_variables(theirs, os.environ, ignore_unset=ignore_unset)
    if names:
        note(f"this environment differs from the manager's, which keeps its own values of: {', '.join(names)}")
        file = quote(client.instance.file)
        note(f"hint: `wscli down -i {name}`, then `wscli up -d -c {file}` applies this environment")
    return cast("Reload", answer), names


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

    The manager goes on with the environment that it was started with. Where a variable of the file (${VAR}, env: VAR)
    has another value in this environment, its name is printed on stderr, and is in 'differing_variables' with --json.
    """
    with connect_to(selection) as client:
        report, differing = apply_file(client, ignore_unset=True)
    put(json_lines([{**report, "differing_variables": differing}]) if as_json else report_text(report))
    return 0
