"""Where a user's managers register: directories, sockets, locks and registrations.

An instance named ``app`` has three files in the runtime directory: ``app.lock``, held by its manager for as long as it
lives; ``app.json``, its registration; ``app.sock``, its socket. Where that path is too long for AF_UNIX, the socket
stands in ``/tmp/wscli-UID``.
"""

import functools
import json
import os
import stat
import sys
from collections.abc import Mapping
from typing import NamedTuple

from wscli.errors import WscliError

__all__ = [
    "Instance",
    "candidate_directories",
    "find_state_directory",
    "is_instance_name",
    "is_trusted",
    "lock_path",
    "read_registration",
    "registered",
    "registration_path",
    "runtime_directory",
    "service_directories",
    "short_directory",
    "socket_path",
    "state_directory",
]

SOCKET_PATH_LIMIT = 103 if sys.platform == "darwin" else 107
"""Bytes of an AF_UNIX path: sun_path less its NUL."""

REGISTRATION_LIMIT = 64 << 10
"""Bytes of a registration."""

_NAME_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


class Instance(NamedTuple):
    """A registered manager, which may be dead by now; only a dial can tell."""

    name: str
    file: str
    """The real path of its YAML file."""
    pid: int
    directory: str

    @property
    def socket(self) -> str:
        """The path of its socket."""
        return socket_path(self.directory, self.name)


def is_instance_name(name: str) -> bool:
    """Whether it is ``[a-z0-9_-]{1,32}``."""
    return 1 <= len(name) <= 32 and _NAME_LETTERS.issuperset(name)


def short_directory() -> str:
    """Return the directory of the sockets whose own path would be too long."""
    return f"/tmp/wscli-{os.geteuid()}"  # noqa: S108 - its owner and mode are checked before use


def service_directories(environ: Mapping[str, str], variable: str = "RUNTIME_DIRECTORY") -> list[str]:
    """Give the directories that systemd made for the service that this process is part of (systemd.exec(5))."""
    named = environ.get(variable, "").split(":")
    return [os.path.realpath(one) for one in named if os.path.isabs(one)]  # noqa: PTH117 - as below


def candidate_directories(environ: Mapping[str, str]) -> list[str]:
    """Give the directories in which a manager may be registered, the likeliest first.

    ``WSCLI_RUNTIME_DIR``, once set, is the only one. Without it all are tried, since cron and sudo often lack
    XDG_RUNTIME_DIR. A relative path in a variable of others is ignored (XDG Base Directory Specification).
    """
    if chosen := environ.get("WSCLI_RUNTIME_DIR"):
        return [os.path.abspath(chosen)]  # noqa: PTH100 - pathlib costs the thin client milliseconds
    found = service_directories(environ)
    if os.path.isabs(base := environ.get("XDG_RUNTIME_DIR", "")):  # noqa: PTH117 - as above, here and below
        found.append(os.path.join(base, "wscli"))  # noqa: PTH118
    found.append(f"/run/user/{os.geteuid()}/wscli")
    if os.path.isabs(base := environ.get("TMPDIR", "")):  # noqa: PTH117
        found.append(os.path.join(base, f"wscli-{os.geteuid()}"))  # noqa: PTH118
    found.append(short_directory())
    return list(dict.fromkeys(found))


def runtime_directory(environ: Mapping[str, str]) -> str:
    """Give the directory in which a new manager registers: the first candidate that can exist."""
    candidates = candidate_directories(environ)
    given = service_directories(environ)
    for candidate in candidates[:-1]:
        if candidate in given and not is_trusted(candidate, environ):
            continue  # of a service that runs as another user, or that shares it
        if any(os.access(one, os.W_OK | os.X_OK) for one in (candidate, os.path.dirname(candidate))):  # noqa: PTH120
            return candidate
    return candidates[-1]


def is_trusted(directory: str, environ: Mapping[str, str]) -> bool:
    """Whether it is a directory (no link) that only we can write to; root may also name one of another user's."""
    try:
        facts = os.lstat(directory)
    except OSError:
        return False
    named_by_root = os.geteuid() == 0 and bool(environ.get("WSCLI_RUNTIME_DIR"))
    ours = facts.st_uid == os.geteuid() or named_by_root
    return stat.S_ISDIR(facts.st_mode) and ours and not facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def socket_path(directory: str, name: str) -> str:
    """Return the path of an instance's socket; the same for the manager and its clients."""
    path = f"{directory}/{name}.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        return path
    from zlib import crc32  # told apart by directory, so that two long ones may hold the same name

    return f"{short_directory()}/{name}-{crc32(os.fsencode(directory)):08x}.sock"


def lock_path(directory: str, name: str) -> str:
    """Return the path of the lock whose holder owns the instance."""
    return f"{directory}/{name}.lock"


def registration_path(directory: str, name: str) -> str:
    """Return the path of the registration, which holds the instance's file and pid."""
    return f"{directory}/{name}.json"


def find_state_directory(environ: Mapping[str, str]) -> str | None:
    """Return the directory for what outlives a manager: logs, histories, the outbox; None if no variable names one."""
    if given := service_directories(environ, "STATE_DIRECTORY"):
        return given[0]
    for variable, below in (("XDG_STATE_HOME", ()), ("HOME", (".local", "state"))):
        if os.path.isabs(base := environ.get(variable, "")):  # noqa: PTH117
            return os.path.join(base, *below, "wscli")  # noqa: PTH118
    return None


def state_directory(environ: Mapping[str, str]) -> str:
    """Return the directory for what outlives a manager.

    Raises:
        WscliError: neither STATE_DIRECTORY, XDG_STATE_HOME nor HOME is set.
    """
    if found := find_state_directory(environ):
        return found
    raise WscliError(
        "the state directory is unknown: HOME is not set", "set HOME, XDG_STATE_HOME or STATE_DIRECTORY to a full path"
    )


def read_registration(directory: str, name: str) -> Instance | None:
    """Read the registration of a name in a directory; None if it is missing or broken."""
    found = _read(directory, name)
    return found if isinstance(found, Instance) else None


def _read(directory: str, name: str) -> Instance | str | None:
    """Read a registration; give None if it is missing, and what is wrong if it is broken."""
    try:
        # a FIFO would block, and a link may lead to one
        descriptor = os.open(registration_path(directory, name), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as error:
        return (error.strerror or str(error)).lower()
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return "it is not a regular file"
        text = os.read(descriptor, REGISTRATION_LIMIT + 1)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    finally:
        os.close(descriptor)
    if len(text) > REGISTRATION_LIMIT:
        return f"it is over {REGISTRATION_LIMIT} bytes"
    try:
        facts = json.loads(text)
    except (ValueError, RecursionError):
        return "it is not JSON"
    match facts:
        case {"file": str(path), "pid": int(pid)} if 0 < pid < 1 << 31:
            return Instance(name, path, pid, directory)
    return "it names no 'file' and 'pid'"


@functools.cache
def _warn(what: str, path: str, reason: str, hint: str = "") -> None:
    """Warn once of what cannot be used, and is as if it were missing."""
    import logging  # which, like shlex, the thin client does not load otherwise
    import shlex

    logging.getLogger(__name__).warning(
        "%s %r is passed over: %s%s", what, path, reason, hint.format(shlex.quote(path)) if hint else ""
    )


def registered(environ: Mapping[str, str]) -> list[Instance]:
    """Give every registration of this user, the dead ones included, in order of name.

    A broken one is passed over with a warning in the log, which is stderr in a command.
    """
    found: dict[tuple[str, int], Instance] = {}
    given = service_directories(environ)
    for directory in candidate_directories(environ):
        if not is_trusted(directory, environ):
            continue
        try:
            entries = sorted(os.listdir(directory))  # noqa: PTH208
        except FileNotFoundError:
            continue
        except OSError as error:
            _warn("runtime directory", directory, (error.strerror or str(error)).lower())
            continue
        for entry in entries:
            name = entry.removesuffix(".json")
            if name == entry or not is_instance_name(name):
                continue
            instance = _read(directory, name)
            if isinstance(instance, Instance):
                found.setdefault((name, instance.pid), instance)
            elif instance and (directory not in given or os.path.exists(lock_path(directory, name))):  # noqa: PTH110
                # and not a file of the service's own
                _warn("broken registration", registration_path(directory, name), instance, "; `rm -r {}` removes it")
    return sorted(found.values())
