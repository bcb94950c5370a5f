"""Where a user's managers register: directories, sockets, locks and registrations.

An instance named ``app`` has three files in the runtime directory: ``app.lock``, held by its manager for as long as it
lives; ``app.json``, its registration; ``app.sock``, its socket. Where that path is too long for AF_UNIX, the socket
stands in ``/tmp/wscli-UID``.
"""

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
    "is_instance_name",
    "is_trusted",
    "lock_path",
    "read_registration",
    "registered",
    "registration_path",
    "runtime_directory",
    "short_directory",
    "socket_path",
    "state_directory",
]

SOCKET_PATH_LIMIT = 103 if sys.platform == "darwin" else 107
"""Bytes of an AF_UNIX path: sun_path less its NUL."""

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


def candidate_directories(environ: Mapping[str, str]) -> list[str]:
    """Give the directories in which a manager may be registered, the likeliest first.

    ``WSCLI_RUNTIME_DIR``, once set, is the only one. Without it all are tried, since cron and sudo often lack
    XDG_RUNTIME_DIR.
    """
    if chosen := environ.get("WSCLI_RUNTIME_DIR"):
        return [os.path.abspath(chosen)]  # noqa: PTH100 - pathlib costs the thin client milliseconds
    found = []
    if base := environ.get("XDG_RUNTIME_DIR"):
        found.append(os.path.join(base, "wscli"))  # noqa: PTH118 - as above, here and below
    found.append(f"/run/user/{os.geteuid()}/wscli")
    found.append(os.path.join(environ.get("TMPDIR") or "/tmp", f"wscli-{os.geteuid()}"))  # noqa: PTH118, S108
    found.append(short_directory())
    return list(dict.fromkeys(found))


def runtime_directory(environ: Mapping[str, str]) -> str:
    """Give the directory in which a new manager registers: the first candidate that can exist."""
    candidates = candidate_directories(environ)
    for candidate in candidates[:-1]:
        shared = candidate.endswith("/wscli")  # a directory of its own within one that the system made
        if not shared or os.access(os.path.dirname(candidate), os.W_OK | os.X_OK):  # noqa: PTH120
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


def state_directory(environ: Mapping[str, str]) -> str:
    """Return the directory for the log of a detached manager.

    Raises:
        WscliError: neither XDG_STATE_HOME nor HOME is set.
    """
    if base := environ.get("XDG_STATE_HOME"):
        return os.path.join(base, "wscli")  # noqa: PTH118
    if home := environ.get("HOME"):
        return os.path.join(home, ".local", "state", "wscli")  # noqa: PTH118
    raise WscliError("the log directory is unknown: HOME is not set", "set XDG_STATE_HOME or HOME")


def read_registration(directory: str, name: str) -> Instance | None:
    """Read the registration of a name in a directory; None if it is missing or unreadable."""
    try:
        with open(registration_path(directory, name), "rb") as file:  # noqa: PTH123
            match json.loads(file.read(1 << 16)):
                case {"file": str(path), "pid": int(pid)}:
                    return Instance(name, path, pid, directory)
    except (OSError, ValueError):
        pass
    return None


def registered(environ: Mapping[str, str]) -> list[Instance]:
    """Give every registration of this user, the dead ones included, in order of name."""
    found: dict[tuple[str, int], Instance] = {}
    for directory in candidate_directories(environ):
        if not is_trusted(directory, environ):
            continue
        for entry in sorted(os.listdir(directory)):  # noqa: PTH208
            name = entry.removesuffix(".json")
            if name != entry and is_instance_name(name) and (instance := read_registration(directory, name)):
                found.setdefault((name, instance.pid), instance)
    return sorted(found.values())
