"""``wscli down``: stop a manager cleanly."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import time

import click

from wscli.cli.formatting import duration
from wscli.cli.options import timeout_option, with_instance
from wscli.cli.printing import note
from wscli.control.client import ManagerGone, connect_to, left_until
from wscli.control.paths import lock_path
from wscli.control.selection import Selection
from wscli.errors import TimedOut


def _await_end(sock: socket.socket, deadline: float) -> bool:
    """Wait until the manager's process ends, which alone closes this connection: its files may be gone already."""
    with contextlib.suppress(ConnectionResetError):
        while (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            try:
                if not sock.recv(4096):
                    return True
            except TimeoutError:
                break
        return False
    return True


def _await_free(lock: int, deadline: float) -> bool:
    """Wait until the manager's lock is free, for a manager that hung up before its process ended."""
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
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(connect_to(selection, timeout=timeout))
        instance, lock = client.instance, None
        with contextlib.suppress(OSError):  # removed, by a manager that ends or by another program
            lock = os.open(lock_path(instance.directory, instance.name), os.O_RDONLY | os.O_NONBLOCK)
            stack.callback(os.close, lock)
        try:
            with contextlib.suppress(ManagerGone):
                client.request("down", timeout=left_until(deadline))
        except TimedOut:
            gone = False
        else:
            gone = _await_end(client.sock, deadline) and (lock is None or _await_free(lock, deadline))
    if not gone:
        said = f"instance {instance.name!r} did not stop within {duration(timeout)}"
        raise TimedOut(said, f"`kill -9 {instance.pid}` ends it")
    note(f"{instance.name} is down")
    return 0
