"""``wscli down``: stop a manager cleanly."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time

import click

from wscli.cli.formatting import duration
from wscli.cli.options import timeout_option, with_instance
from wscli.cli.printing import note
from wscli.control.client import ManagerGone, connect_to, left_until
from wscli.control.paths import lock_path
from wscli.control.selection import Selection
from wscli.errors import TimedOut


def _await_free(lock: int, deadline: float) -> bool:
    """Wait until the manager's lock can be had: the kernel gives it up only with the process."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        else:
            return True


@click.command("down")
@with_instance
@timeout_option("How long it may take to stop.", "10s")
def command(selection: Selection, timeout: float) -> int:
    """Stop a manager cleanly.

    Every channel gets a close frame, and a second to answer it. Returns once the manager is gone.
    """
    deadline = time.monotonic() + timeout
    with connect_to(selection, timeout=timeout) as client:
        instance = client.instance
        try:
            lock = os.open(lock_path(instance.directory, instance.name), os.O_RDONLY)
        except FileNotFoundError:  # it is gone already
            return 0
        try:
            with contextlib.suppress(ManagerGone):
                client.request("down", timeout=left_until(deadline))
            gone = _await_free(lock, deadline)
        except TimedOut:
            gone = False
        finally:
            os.close(lock)
    if not gone:
        said = f"instance {instance.name!r} did not stop within {duration(timeout)}"
        raise TimedOut(said, f"`kill -9 {instance.pid}` ends it")
    note(f"{instance.name} is down")
    return 0
