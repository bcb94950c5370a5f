"""The choice of the instance that a command is for.

``-i``, ``-c``, WSCLI_INSTANCE, ``./wscli.yaml`` or a parent's, the only one running: the first of these that applies.
"""

import contextlib
import os
import socket
import time
from collections.abc import Mapping
from typing import NamedTuple

from wscli.control.paths import Instance, is_instance_name, is_trusted, registered
from wscli.errors import NoInstance, TimedOut, UsageError, WscliError

__all__ = ["Busy", "Selection", "dial", "find_file", "running", "select"]

PATIENCE = 10.0
"""Seconds for a manager to take a connection."""
_AGAIN = 0.02  # seconds between two tries: nothing tells of room in a queue
_START = "start one with `wscli up -d -c FILE`"


class Selection(NamedTuple):
    """The options of the command line; at most one of the two is set."""

    name: str | None = None
    """-i"""
    file: str | None = None
    """-c"""


class Busy(TimedOut):
    """The manager has more connections to accept than its queue holds; it may have room a moment later."""


def dial(instance: Instance, environ: Mapping[str, str], *, patience: float = PATIENCE) -> socket.socket | None:
    """Connect to an instance; None if it does not listen any more.

    A manager that is stopped or overloaded accepts nothing: it is waited for ``patience`` seconds. Without patience the
    socket does not block.

    Raises:
        Busy: it took no connection in that time.
        WscliError: it may listen, but cannot be reached.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return _dial(instance, environ, blocking=patience > 0)
        except Busy:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_AGAIN)


def _dial(instance: Instance, environ: Mapping[str, str], *, blocking: bool) -> socket.socket | None:
    path = instance.socket
    if not is_trusted(os.path.dirname(path), environ):  # noqa: PTH120 - pathlib costs the thin client milliseconds
        return None
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)  # a blocking connect waits for ever where the queue is full
    try:
        sock.connect(path)
    except OSError as error:
        sock.close()
        if isinstance(error, (FileNotFoundError, ConnectionRefusedError)):
            return None
        if isinstance(error, BlockingIOError):
            text = f"the manager of {instance.name!r} takes no connection"
            raise Busy(text, "see `wscli ls` and `wscli logs`") from None
        reason = (error.strerror or str(error)).lower()
        raise WscliError(f"cannot reach the manager of {instance.name!r} at {path!r}: {reason}") from None
    sock.setblocking(blocking)
    return sock


def running(environ: Mapping[str, str]) -> list[Instance]:
    """Give the instances that answer a dial; those that cannot be reached are left out."""
    alive = []
    for instance in registered(environ):
        with contextlib.suppress(WscliError):
            try:
                if sock := dial(instance, environ, patience=0):
                    sock.close()
                    alive.append(instance)
            except Busy:
                alive.append(instance)
    return alive


def find_file(start: str) -> str | None:
    """Give the real path of ``wscli.yaml`` in a directory or the nearest parent that has one."""
    try:
        directory = os.path.realpath(start)
    except FileNotFoundError:  # this directory was removed
        return None
    while True:
        file = os.path.join(directory, "wscli.yaml")  # noqa: PTH118
        if os.path.isfile(file):  # noqa: PTH113
            return os.path.realpath(file)
        parent = os.path.dirname(directory)  # noqa: PTH120
        if parent == directory:
            return None
        directory = parent


def select(
    selection: Selection, environ: Mapping[str, str], *, patience: float = PATIENCE
) -> tuple[Instance, socket.socket]:
    """Find the instance that is meant, and connect to it; ``patience`` is that of ``dial``.

    Raises:
        Busy: it took no connection in that time.
        NoInstance: it is not running, or none is.
        UsageError: several are running and nothing says which.
    """
    if selection.name and selection.file:
        raise UsageError("-i and -c both choose an instance", "give one of them")
    if name := selection.name or (environ.get("WSCLI_INSTANCE") if not selection.file else None):
        if not is_instance_name(name):
            hint = "a name has at most 32 of a-z, 0-9, _ and -; see `wscli ls`"
            raise UsageError(f"invalid instance name: {name!r}", hint)
        found = [instance for instance in registered(environ) if instance.name == name]
        missing, hint = f"no instance named {name!r} is running", ""
    elif file := selection.file or find_file("."):
        path = os.path.realpath(file)
        found = [instance for instance in registered(environ) if instance.file == path]
        from shlex import quote  # here: it costs the thin client milliseconds

        missing, hint = f"no instance of {file!r} is running", f"start it with `wscli up -d -c {quote(file)}`"
        if not os.path.exists(path):  # noqa: PTH110
            missing, hint = f"{missing}, and there is no such file", ""
    else:
        found = running(environ)
        if len(found) > 1:
            candidates = ", ".join(f"{instance.name} ({instance.file})" for instance in found)
            raise UsageError(f"{len(found)} instances are running: {candidates}", "choose one with -i NAME")
        missing, hint = "no instance is running", _START
    for instance in found:
        if sock := dial(instance, environ, patience=patience):
            return instance, sock
    if not hint:
        names = ", ".join(instance.name for instance in running(environ))
        hint = f"running: {names}" if names else _START
    raise NoInstance(missing, hint)
