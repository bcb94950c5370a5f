"""Ownership of an instance: its lock, its socket and its registration.

The holder of ``flock`` on NAME.lock owns the instance. The kernel drops the lock with its process, and the next manager
replaces the files that a crashed one left.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import socket
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from wscli.config.plan import Plan
from wscli.control import paths
from wscli.control.protocol import PROTOCOL
from wscli.control.selection import running
from wscli.errors import WscliError
from wscli.sockets import listen_at_path
from wscli.version import __version__

__all__ = ["InstanceHeld", "Ownership", "own"]

LOCK_PATIENCE = 1.0
"""Seconds to wait for a lock that is held briefly, by ``down`` or a manager that is about to register."""


class InstanceHeld(WscliError):
    """Another manager owns the name."""


class Ownership(NamedTuple):
    """An instance owned by this process."""

    listener: socket.socket
    """Bound, listening, non-blocking; closed by the server."""
    lock: int
    """Descriptor of the lock, which is held until it and its duplicates are closed."""


@contextlib.contextmanager
def own(plan: Plan, environ: Mapping[str, str]) -> Iterator[Ownership]:
    """Own the instance of a plan while the context is open, and remove its files afterwards.

    Raises:
        InstanceHeld: another manager owns the name.
        WscliError: the runtime directory or the socket cannot be used.
    """
    directory = paths.runtime_directory(environ)
    _make_private(directory)
    _refuse_namesakes(plan, directory, environ)
    path, registration = (Path(of(directory, plan.name)) for of in (paths.socket_path, paths.registration_path))
    lock_path = paths.lock_path(directory, plan.name)
    lock = _lock(plan, directory, lock_path)
    try:
        registration.unlink(missing_ok=True)
        if (parent := str(path.parent)) != directory:
            _make_private(parent)
        with _bind(path) as listener:
            _register(plan, registration)
            try:
                yield Ownership(listener, lock)
            finally:
                path.unlink(missing_ok=True)
                registration.unlink(missing_ok=True)
    finally:
        Path(lock_path).unlink(missing_ok=True)  # while it is held: the next holder's file has another inode
        os.close(lock)


def _make_private(directory: str) -> None:
    """Make a directory of mode 0700, or check the mode and owner of the present one."""
    try:
        Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = os.lstat(directory)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise WscliError(
            f"the runtime directory {directory!r} cannot be made: {reason}", "set WSCLI_RUNTIME_DIR to another"
        ) from None
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        raise WscliError(
            f"the runtime directory {directory!r} is not a directory of user {os.geteuid()}",
            "remove it, or set WSCLI_RUNTIME_DIR to another",
        )
    if facts.st_mode & 0o077:
        raise WscliError(
            f"the runtime directory {directory!r} is open to other users (mode {facts.st_mode & 0o777:04o})",
            f"chmod 700 {directory}",
        )


def _refuse_namesakes(plan: Plan, directory: str, environ: Mapping[str, str]) -> None:
    for other in running(environ):
        if other.name == plan.name and (other.directory != directory or other.file != str(plan.file)):
            raise _held(plan, other)


def _held(plan: Plan, holder: paths.Instance | None) -> InstanceHeld:
    if holder is None:
        return InstanceHeld(f"instance {plan.name!r} is held by another manager", "see `wscli ls`")
    if holder.file == str(plan.file):
        return InstanceHeld(
            f"instance {plan.name!r} is already running as pid {holder.pid}",
            "`wscli reload` applies changes of its file, `wscli down` stops it",
        )
    return InstanceHeld(
        f"the name {plan.name!r} is held by pid {holder.pid}, which runs {holder.file!r}",
        "give one of the two files another 'name:', or stop the other with `wscli down -i " + plan.name + "`",
    )


def _lock(plan: Plan, directory: str, path: str) -> int:
    """Take the lock. Raises InstanceHeld: another manager has it."""
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_same_file(lock, path):
                return lock
            os.close(lock)  # its holder removed the file between the two calls: lock the new one
            continue
        except BlockingIOError:
            os.close(lock)
        holder = paths.read_registration(directory, plan.name)
        if holder is not None and _lives(holder.pid):
            raise _held(plan, holder)
        if time.monotonic() >= deadline:
            raise _held(plan, None)
        time.sleep(0.02)


def _is_same_file(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), Path(path).stat())
    except FileNotFoundError:
        return False


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _bind(path: Path) -> socket.socket:
    try:
        return listen_at_path(path)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"a process without the lock listens at {str(path)!r}"
            raise InstanceHeld(message, f"end it, then remove {path}") from None
        reason = (error.strerror or str(error)).lower()
        hint = f"remove {path}, or set WSCLI_RUNTIME_DIR to another directory"
        raise WscliError(f"cannot listen at {str(path)!r}: {reason}", hint) from None


def _register(plan: Plan, path: Path) -> None:
    pid = os.getpid()
    facts = {"v": PROTOCOL, "wscli": __version__, "name": plan.name, "file": str(plan.file), "pid": pid}
    temporary = Path(f"{path}.{pid}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w") as file:
        json.dump(facts, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
