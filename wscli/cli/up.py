"""``wscli up``: run the manager of a file, here or detached."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wscli.cli.options import LogFormat, file_option, level_option, selection_of, timeout_option
from wscli.cli.printing import note
from wscli.control.client import deadline_after
from wscli.control.protocol import failure
from wscli.control.selection import Selection, find_file
from wscli.errors import UsageError, WscliError

if TYPE_CHECKING:
    from wscli.config.plan import Plan
    from wscli.control.requests import LogLevel


def _chosen_file(selection: Selection) -> Path:
    """Give the file to run: -c FILE, or ``wscli.yaml`` here or in a parent."""
    if selection.name:
        raise UsageError(
            "-i chooses a running instance, and up starts one", "give -c FILE; its 'name:' is the instance"
        )
    if selection.file:
        return Path(selection.file)
    found = find_file(".")
    if found is None:
        raise UsageError(
            "no file to run: neither this directory nor a parent has a wscli.yaml", "give one with -c FILE"
        )
    return Path(found)


def _fill_standard_descriptors() -> None:
    """Open what is closed of stdin, stdout and stderr to /dev/null, so that no pipe or lock takes its number."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one


def _run_here(plan: Plan, log_format: LogFormat, log_level: LogLevel, log_file: Path | None) -> int:
    from wscli.process.run import run_manager

    def is_up() -> None:
        words = f"{plan.name} is up; Ctrl-C stops it"
        if log_format == "json":  # nothing else may stand between the objects
            import logging

            logging.getLogger("wscli.manager").info(words, extra={"event": "up"})
        else:
            note(words)

    return run_manager(plan, os.environ, on_ready=is_up, log_format=log_format, log_level=log_level, log_file=log_file)


def _run_detached(file: Path, status_fd: int, log_format: LogFormat, log_level: LogLevel, log_file: Path | None) -> int:
    """Run the manager in this process, which ``up -d`` started; tell that one whether it came up, or why not."""
    from wscli.config.loading import load
    from wscli.process.ownership import InstanceHeld
    from wscli.process.run import run_manager

    os.set_inheritable(status_fd, False)
    starter = io.FileIO(status_fd, "w")

    def tell(words: dict[str, object]) -> None:
        if not starter.closed:  # an error of a manager that was up is not for it
            with contextlib.suppress(BrokenPipeError), starter:  # whoever started it is gone
                starter.write(json.dumps(words).encode())

    try:
        plan = load(file, os.environ)
        is_up = functools.partial(tell, {"pid": os.getpid()})
        return run_manager(
            plan, os.environ, on_ready=is_up, log_format=log_format, log_level=log_level, log_file=log_file
        )
    except InstanceHeld as error:  # without a word in the log, which is that of the other manager
        tell(failure(error, passing=error.passing))
        return int(error.exit_code)
    except WscliError as error:
        tell(failure(error))
        raise


@click.command("up")
@file_option("The file to run.")
@click.option("-d", "--detach", is_flag=True, help="Run in the background, in a session of its own.")
@click.option("--wait", is_flag=True, help="With -d: return when every eager critical channel is ready.")
@timeout_option("With --wait: exit with 124 after this long.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How the log is written; json: one object a line, as `wscli logs --json` prints them.",
)
@level_option(
    "--log-level",
    "The lowest level that is written; debug: each dial, open, close, wait, refusal and token fetch.",
    default="info",
)
@click.option("--log-file", type=click.Path(path_type=Path), hidden=True)
@click.option("--status-fd", type=int, hidden=True)
def command(
    detach: bool,
    wait: bool,
    timeout: float | None,
    log_format: LogFormat,
    log_level: LogLevel,
    log_file: Path | None,
    status_fd: int | None,
) -> int:
    """Run the manager of a file.

    The file is -c FILE, or wscli.yaml in this directory or the nearest parent that has one. In the foreground it runs
    until Ctrl-C (exit code 130), SIGTERM or `wscli down` (both 0), logging to stderr; SIGHUP reloads the file.

    -d starts it in the background, logging to NAME.log in $XDG_STATE_HOME/wscli (~/.local/state/wscli); a log of 8 MiB
    is put aside as NAME.log.1, and three of them are kept. On an instance that runs already it applies what changed in
    the file, as `wscli reload` does: with the environment that the manager was started with. Where a variable of the
    file has another value now, its name is printed on stderr. Several at once start one manager.

    --wait exits with 8 when a channel that it waits for failed, with 4 if its credentials were refused.
    """
    if (wait or timeout is not None) and not detach:
        raise UsageError(
            "--wait goes with -d: a manager that runs here does not return", "`wscli wait CHANNEL` waits for a channel"
        )
    if timeout is not None and not wait:
        raise UsageError("--timeout goes with --wait", "add --wait")
    file = _chosen_file(selection_of(click.get_current_context()))
    _fill_standard_descriptors()
    if status_fd is not None:
        return _run_detached(file, status_fd, log_format, log_level, log_file)
    from wscli.config.loading import load

    deadline = deadline_after(timeout)
    plan = load(file, os.environ)
    if not detach:
        return _run_here(plan, log_format, log_level, log_file)
    from wscli.cli.detach import start_or_reload, wait_until_ready

    for warning in plan.warnings:
        note(f"warning: {warning}")
    start_or_reload(plan, log_format=log_format, log_level=log_level, deadline=deadline)
    return wait_until_ready(plan, timeout, deadline) if wait else 0
