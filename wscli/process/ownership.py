"""Ownership of an instance: its locks, its socket and its registration.

The owner holds flock(2) on NAME.lock in the runtime directory and, where there is a state directory, on NAME.lock there
as well. The runtime directory alone would not do: it depends on the environment, and logouts and cleaners of temporary
files remove it while a manager runs. The owner compares its files by inode, restores missing ones, and at its end
removes its own files only.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import shlex
import socket
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from wscli.config.plan import Plan
from wscli.control import paths
from wscli.control.protocol import PROTOCOL
from wscli.control.selection import running
from wscli.errors import WscliError
from wscli.locks import LockHeld, is_same_file, lock_file, release_lock, write_holder
from wscli.sockets import listen_at_path
from wscli.version import __version__

__all__ = ["InstanceHeld", "Ownership", "own"]

LOCK_PATIENCE = 1.0
"""Seconds to wait for a lock that is held briefly, by ``down`` or a manager that is about to say who it is."""

logger = logging.getLogger("wscli.manager")


class InstanceHeld(WscliError):
    """Another manager owns the name."""

    passing = False
    """Whether it runs the same file as far as is known, and commands here will reach it or find it gone in a moment."""


class Ownership:
    """The locks, the socket and the registration of an instance that this process owns."""

    listener: socket.socket
    """Bound, listening, non-blocking; closed by the server."""

    def __init__(self, plan: Plan, environ: Mapping[str, str]) -> None:
        self._plan = plan
        self._environ = environ
        self._directory = ""
        self._locks: dict[Path, int] = {}
        self._socket: tuple[Path, os.stat_result] | None = None
        self._stateless = ""
        """Why the state directory has no lock."""

    def restore(self, patience: float = 0.0) -> list[str]:
        """Make those of the instance's files that are missing or were replaced; return the paths of the new ones.

        A new socket is a new ``listener``; the one before is closed by the server. Locks that another process holds are
        waited for ``patience`` seconds at most, blocking.

        Raises:
            InstanceHeld: another manager owns the instance.
            WscliError: the runtime directory or a file cannot be made.
        """
        return self.claim(patience) + self.publish()

    def claim(self, patience: float = 0.0) -> list[str]:
        """Make and hold the locks, in a runtime directory that is made if need be; else as ``restore``."""
        if not paths.is_trusted(self._directory, self._environ):
            self._directory = paths.runtime_directory(self._environ)
            _make_private(self._directory, self._environ)
            for lock in self._locks.values():
                write_holder(lock, note=self._directory)
        return self._restore_locks(patience)

    def publish(self) -> list[str]:
        """Make the socket and the registration, by which clients find the instance; else as ``restore``."""
        made = []
        registered = paths.read_registration(self._directory, self._plan.name) == self._instance
        with contextlib.nullcontext() if registered else self._registering():
            if not self._owns_socket():
                made.append(self._bind())
        return made if registered else [*made, str(self._registration)]

    def release(self) -> None:
        """Remove the files, but not those that another process has put there, and give up the locks."""
        if self._socket is not None and self._owns_socket():
            self._socket[0].unlink(missing_ok=True)
        if paths.read_registration(self._directory, self._plan.name) == self._instance:
            self._registration.unlink(missing_ok=True)
        for path, lock in self._locks.items():
            release_lock(lock, path)
        if self._socket is not None:
            self.listener.close()

    def keep_locks(self) -> None:
        """Hold the locks until the process has ended, which ``wscli down`` waits for."""
        for lock in self._locks.values():
            os.dup(lock)

    @property
    def _instance(self) -> paths.Instance:
        return paths.Instance(self._plan.name, str(self._plan.file), os.getpid(), self._directory)

    @property
    def _registration(self) -> Path:
        return Path(paths.registration_path(self._directory, self._plan.name))

    def _restore_locks(self, patience: float) -> list[str]:
        wanted = [Path(paths.lock_path(self._directory, self._plan.name))]
        if state := paths.find_state_directory(self._environ):
            wanted.append(Path(paths.lock_path(state, self._plan.name)))
        made = []
        for path in wanted:
            lock = self._locks.get(path)
            if lock is not None and is_same_file(lock, path):
                continue
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._locks[path] = self._lock(path, patience)
            except OSError as error:
                self._unlockable(path, (error.strerror or str(error)).lower())
                continue
            made.append(str(path))
            if lock is not None:
                os.close(lock)
        return made

    def _unlockable(self, path: Path, reason: str) -> None:
        """Refuse to run without the lock of the runtime directory; histories and outboxes have locks of their own."""
        if str(path.parent) == self._directory:
            raise WscliError(f"cannot lock {str(path)!r}: {reason}", f"`rm -r {shlex.quote(str(path))}` removes it")
        if reason != self._stateless:
            self._stateless = reason
            logger.warning("cannot lock %r: %s; only the runtime directory is locked", str(path), reason)

    def _lock(self, path: Path, patience: float) -> int:
        deadline = time.monotonic() + patience
        while True:
            try:
                return lock_file(path, note=self._directory)
            except LockHeld as held:
                lives = held.pid is not None and _lives(held.pid)
                if lives or time.monotonic() >= deadline:
                    raise _refusal(self._plan, self._environ, held, self._holder(held)) from None
            time.sleep(0.02)

    def _holder(self, held: LockHeld) -> paths.Instance | None:
        holder = paths.read_registration(held.note, self._plan.name) if held.note else None
        return holder if holder is not None and holder.pid == held.pid else None

    def _owns_socket(self) -> bool:
        path = paths.socket_path(self._directory, self._plan.name)
        if self._socket is None or str(self._socket[0]) != path:
            return False
        try:
            return os.path.samestat(self._socket[1], self._socket[0].lstat())
        except OSError:
            return False

    def _bind(self) -> str:
        path = Path(paths.socket_path(self._directory, self._plan.name))
        if str(path.parent) != self._directory:
            _make_private(str(path.parent), self._environ)
        try:
            listener = listen_at_path(path)
            self._socket = path, path.lstat()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                message = f"a process without the lock listens at {str(path)!r}"
                raise InstanceHeld(message, f"end it, then remove {shlex.quote(str(path))}") from None
            reason = (error.strerror or str(error)).lower()
            hint = f"`rm -r {shlex.quote(str(path))}`, or set WSCLI_RUNTIME_DIR to another directory"
            raise WscliError(f"cannot listen at {str(path)!r}: {reason}", hint) from None
        self.listener = listener
        return str(path)

    @contextlib.contextmanager
    def _registering(self) -> Iterator[None]:
        """Have the registration appear at the end of the context, in which the socket does, with nothing between."""
        name, file, pid, _ = self._instance
        facts = {"v": PROTOCOL, "wscli": __version__, "name": name, "file": file, "pid": pid}
        path, temporary = self._registration, Path(f"{self._registration}.{pid}")
        with contextlib.suppress(OSError):  # that of a dead manager must never lead to our socket
            path.unlink()
        try:
            temporary.unlink(missing_ok=True)
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as target:
                json.dump(facts, target)
                target.flush()
                os.fsync(target.fileno())
            yield
            temporary.replace(path)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            hint = f"`rm -r {shlex.quote(str(path))}` removes it"
            raise WscliError(f"cannot register at {str(path)!r}: {reason}", hint) from None
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


@contextlib.contextmanager
def own(plan: Plan, environ: Mapping[str, str]) -> Iterator[Ownership]:
    """Own the instance of a plan while the context is open, and remove its files afterwards.

    Clients find it only once ``publish`` was called.

    Raises:
        InstanceHeld: another manager owns the name.
        WscliError: the runtime directory cannot be used.
    """
    _refuse_namesakes(plan, environ)
    owned = Ownership(plan, environ)
    try:
        owned.claim(LOCK_PATIENCE)
        yield owned
    finally:
        owned.release()


def _make_private(directory: str, environ: Mapping[str, str]) -> None:
    """Make a directory of mode 0700, or check the mode and owner of the present one."""
    if directory in paths.service_directories(environ) and paths.is_trusted(directory, environ):
        return  # its mode is that of the service's unit
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
            f"chmod 700 {shlex.quote(directory)}",
        )


def _refuse_namesakes(plan: Plan, environ: Mapping[str, str]) -> None:
    for other in running(environ):
        if other.name == plan.name:
            raise _refusal(plan, environ, LockHeld(other.pid, other.directory), other)


def _refusal(plan: Plan, environ: Mapping[str, str], held: LockHeld, holder: paths.Instance | None) -> InstanceHeld:
    """Make the error that says who owns the instance; ``holder`` is its registration, if it is there."""
    here = held.note in paths.candidate_directories(environ)
    wscli = "wscli" if here else f"WSCLI_RUNTIME_DIR={shlex.quote(held.note)} wscli"
    if holder is not None and holder.file != str(plan.file):
        return InstanceHeld(
            f"the name {plan.name!r} is held by pid {holder.pid}, which runs {holder.file!r}",
            f"give one of the two files another 'name:', or stop the other with `{wscli} down -i {plan.name}`",
        )
    if held.pid is None:
        error = InstanceHeld(f"instance {plan.name!r} is held by another manager", "see `wscli ls`")
    else:
        error = InstanceHeld(
            f"instance {plan.name!r} is already running as pid {held.pid}",
            f"`{wscli} reload -i {plan.name}` applies changes of its file, `{wscli} down -i {plan.name}` stops it",
        )
    error.passing = here or held.pid is None
    return error


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
