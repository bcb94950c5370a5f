"""``wscli config``: check, show and describe a configuration file."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from wscli.cli.formatting import counted
from wscli.cli.options import instance_options, json_option, selection_of
from wscli.cli.printing import note
from wscli.control.paths import registered
from wscli.control.selection import Selection, find_file
from wscli.errors import ExitCode, UsageError

__all__ = ["command", "file_of"]


def file_of(selection: Selection, given: str | None, environ: Mapping[str, str]) -> Path:
    """Choose the file: the argument, -c, the file of -i's instance, or ``wscli.yaml`` here or in a parent.

    Raises:
        UsageError: no file or two files are given.
    """
    if given and (selection.file or selection.name):
        raise UsageError(f"both {given!r} and an option choose a file", "give one of them")
    if given or selection.file:
        return Path(given or selection.file or "")
    if selection.name:
        for instance in registered(environ):
            if instance.name == selection.name:
                return Path(instance.file)
        raise UsageError(
            f"no instance {selection.name!r} is registered, and only it would know its file", "name the file: -c FILE"
        )
    found = find_file(".")
    if found is None:
        raise UsageError(
            "no file is named, and neither this directory nor a parent has a 'wscli.yaml'", "name it: -c FILE"
        )
    return Path(os.path.relpath(found))


def _with_file(function: Callable[..., int]) -> Callable[..., int]:
    @functools.partial(instance_options, name_help="The file that this instance runs.", file_help="This file.")
    @click.argument("named", required=False, metavar="[FILE]", type=click.Path())
    @functools.wraps(function)
    def called(named: str | None, **options: Any) -> int:
        return function(file_of(selection_of(click.get_current_context()), named, os.environ), os.environ, **options)

    return called


@click.group("config", no_args_is_help=False)
def command() -> None:
    """Check, show or describe a configuration file.

    The file is FILE, or -c FILE, or that of the instance -i NAME, or wscli.yaml in this directory or a parent; - is
    stdin.
    """


@command.command("check")
@click.option("--strict", is_flag=True, help="Exit with 3 where there are warnings.")
@_with_file
def check(file: Path, environ: Mapping[str, str], *, strict: bool) -> int:
    """Validate: every problem at once, with its line and column.

    Warnings are of valid files: two channels that dial one URL, unused names, forgotten templates. The exit code is 0.
    A line on stderr names the channels whose clients have an upstream each (`clients: own`, or by their subprotocol).
    """
    from wscli.config.loading import load

    plan = load(file, environ)
    for warning in plan.warnings:
        note(f"warning: {warning}")
    if plan.warnings and strict:
        return ExitCode.CONFIG
    own = [name for name, channel in plan.channels.items() if channel.clients.own]
    if own:
        note(f"each client of the gateway and the adapter has an upstream of its own: {', '.join(own)}")
    numbers = (("channel", len(plan.channels)), ("endpoint", len(plan.endpoints)), ("token source", len(plan.tokens)))
    declared = ", ".join(counted(count, what) for what, count in numbers)
    sys.stdout.write(f"{'<stdin>' if file == Path('-') else file}: ok: {declared}\n")
    return 0


@command.command("show")
@json_option("Print JSON instead of YAML.")
@click.option(
    "--resolved",
    metavar="CHANNEL",
    help="What this channel is after presets, defaults and merging: `wscli config show --resolved news`.",
)
@_with_file
def show(file: Path, environ: Mapping[str, str], *, as_json: bool, resolved: str | None) -> int:
    """Print the file without its secrets."""
    from wscli.config.loading import read_plan, read_resolved
    from wscli.config.redact import redacted

    root = read_plan(file, environ)[0] if resolved is None else read_resolved(file, environ, resolved)
    sys.stdout.write(redacted(root, as_json=as_json))
    return 0


@command.command("schema")
def schema() -> int:
    """Print the JSON Schema of the file, for editors."""
    from wscli.config.schema import file_schema

    sys.stdout.write(json.dumps(file_schema(), indent=2, ensure_ascii=False) + "\n")
    return 0
