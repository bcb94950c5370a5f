"""``up -d``, as the command that was typed sees it: start the manager, hear whether it came up, wait for its channels.

It never forks: the manager is this program executed anew, in a session of its own, with a pipe for its first words.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wscli.cli.options import LogFormat
from wscli.cli.printing import note, put
from wscli.control.client import STATES_DEADLINE, connect_to, left_until
from wscli.control.paths import state_directory
from wscli.control.selection import Selection, running
from wscli.errors import NoInstance, WscliError, error_for

if TYPE_CHECKING:
    from wscli.config.plan import Plan
    from wscli.control.requests import LogLevel

__all__ = ["log_file", "start_or_reload", "wait_until_ready"]

_PATIENCE = 10.0
"""Seconds for another manager of the file to be reachable, or to have ended."""
_PAUSE = 0.2
_NOT_HANDED_ON = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""Of a service that `up -d` is typed in: the manager is not that service, and does not speak for it."""


class _Held(WscliError):
    """Another manager is about to run the file, or about to end."""


def start_or_reload(plan: Plan, *, log_format: LogFormat, log_level: LogLevel, deadline: float | None = None) -> None:
    """Start a manager in the background, or have the one that runs this file apply what changed.

    Of several that are started at once one runs, and the others have it apply the file. A manager that runs already
    goes on logging as it does. One that starts or ends, or does not answer, is waited for until ``deadline``, by
    ``time.monotonic``, or for as long as that should take.

    Raises:
        WscliError: why it did not come up.
    """
    latest = time.monotonic() + _PATIENCE
    latest = latest if deadline is None else min(deadline, latest)
    while True:
        try:
            if not _applied(plan, deadline):
                log = log_file(plan.name)
                pid = _start(plan, log, log_format, log_level)
                note(f"{plan.name} is up as pid {pid}; it logs to {log}")
        except (_Held, NoInstance):
            if time.monotonic() >= latest:
                raise
            time.sleep(_PAUSE)
        else:
            return


def _applied(plan: Plan, deadline: float | None) -> bool:
    """Have the manager that runs this file apply it; say whether there is one."""
    for instance in running(os.environ):
        if instance.file == str(plan.file):
            from wscli.cli.reload import apply_file, report_text

            with connect_to(Selection(instance.name), timeout=left_until(deadline)) as client:
                report, _ = apply_file(client, ignore_unset=False, timeout=left_until(deadline))
            note(f"{instance.name} is running already as pid {instance.pid}; its file was applied")
            put(report_text(report))
            return True
    return False


def log_file(name: str) -> Path:
    """Give the log of a detached manager, in a directory that exists."""
    directory = Path(state_directory(os.environ))
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WscliError(
            f"the log directory cannot be created: {str(directory)!r}: {reason}", "set XDG_STATE_HOME"
        ) from None
    return directory / f"{name}.log"


def _start(plan: Plan, log: Path, log_format: LogFormat, log_level: LogLevel) -> int:
    """Execute the manager, and give its pid once its socket answers."""
    ours, theirs = os.pipe()
    command = [sys.executable, "-P", "-m", "wscli", "up", "-c", str(plan.file), "--log-format", log_format]
    command += ["--log-level", log_level, "--log-file", str(log), "--status-fd", str(theirs)]
    try:
        with os.fdopen(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600), "wb") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=(theirs,),
                start_new_session=True,
                cwd="/",
                env=_handed_on(),
            )
    finally:
        os.close(theirs)
    with open(ours, "rb") as words:  # noqa: PTH123 - a descriptor, no path
        said = words.read(1 << 20)  # until the manager closes its end, or dies
    process.returncode = 0  # it lives on, without a parent that waits: keeps Popen from warning
    try:
        told = json.loads(said)
    except ValueError:
        raise WscliError(f"the manager of {plan.name!r} died before it was up", f"see {log}") from None
    if error := told.get("error"):
        if error.get("passing"):
            raise _Held(error["message"], error["hint"])
        raise error_for(error["code"], error["message"], error["hint"])
    return int(told["pid"])


def _handed_on() -> dict[str, str]:
    """Give the environment of the manager, which works in another directory than this command."""
    environ = {name: text for name, text in os.environ.items() if name not in _NOT_HANDED_ON}
    if chosen := environ.get("WSCLI_RUNTIME_DIR"):
        environ["WSCLI_RUNTIME_DIR"] = os.path.abspath(chosen)  # noqa: PTH100 - as clients find it
    return environ


def wait_until_ready(plan: Plan, timeout: float | None, deadline: float | None) -> int:
    """Wait for every eager critical channel of a plan, until ``deadline``, at which the timeout of the call is over.

    If the start took all of it, a moment is left for what became of the channels at once.
    """
    if any(one.eager and one.critical and not one.params for one in plan.channels.values()):
        from wscli.cli.wait import wait

        left = None if deadline is None else left_until(deadline) or STATES_DEADLINE
        return wait(Selection(plan.name), (), "ready", timeout, left=left)
    return 0
