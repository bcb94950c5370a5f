"""Locks of files: one process holds each, and its pid stands in the file.

A lock is flock(2) of a file beside what it protects; the kernel releases it with the process. A lock file that was
removed while it was held no longer protects anything: its holder checks it with ``is_same_file``, and locks again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from pathlib import Path

__all__ = ["LockHeld", "is_same_file", "lock_file", "release_lock", "write_holder"]

_LONGEST = 4096
"""Bytes of a lock file that are read."""


class LockHeld(Exception):
    """Another open file holds the lock: that of another process, or another of this one."""

    def __init__(self, pid: int | None, note: str) -> None:
        super().__init__(f"the lock is held by pid {pid}")
        self.pid = pid
        """None where the holder wrote none yet."""
        self.note = note
        """The line that the holder wrote after its pid."""


def lock_file(path: Path, note: str = "") -> int:
    """Lock a file, made with mode 0600 if missing, and write the pid of this process and a line of text into it.

    Returns:
        Its descriptor. The lock lasts until it and its duplicates are closed, at the latest until the process ends.

    Raises:
        LockHeld: another process has it.
        OSError: the file cannot be made or opened, or is not a regular file.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        try:
            _require_regular(descriptor, path)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_same_file(descriptor, path):
                write_holder(descriptor, note)
                return descriptor
        except BlockingIOError:
            held = _held(descriptor)
            os.close(descriptor)
            raise held from None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder removed the file between the two calls: lock the new one


def write_holder(descriptor: int, note: str) -> None:
    """Write the pid of this process and a line of text into a file that it has locked."""
    with contextlib.suppress(OSError):  # on a full disk it is locked all the same
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, os.fsencode(f"{os.getpid()}\n{note}\n"), 0)


def is_same_file(descriptor: int, path: Path) -> bool:
    """Whether a path still leads to an open file, by device and inode."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except OSError:
        return False


def release_lock(descriptor: int, path: Path) -> None:
    """Remove a lock's file, unless another one has replaced it, and give up the lock."""
    if is_same_file(descriptor, path):  # while it is held: the next holder's file has another inode
        with contextlib.suppress(OSError):
            path.unlink()
    os.close(descriptor)


def _require_regular(descriptor: int, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EEXIST, "not a regular file", str(path))


def _held(descriptor: int) -> LockHeld:
    try:
        pid, _, rest = os.pread(descriptor, _LONGEST, 0).partition(b"\n")
    except OSError:
        return LockHeld(None, "")
    return LockHeld(int(pid) if pid.isdigit() and len(pid) < 10 else None, os.fsdecode(rest.partition(b"\n")[0]))
