"""The files of a database that one process owns: a lock beside them, and a watch over them.

Cleaners, restores and people remove, replace and truncate files under a running process. SQLite keeps using the inodes
that it opened, so its commits are lost at the end of the process: the owner has to look.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

from wscli.database.opening import DatabaseError, unusable
from wscli.locks import LockHeld, is_same_file, lock_file, release_lock

__all__ = ["OwnedFiles"]

_SUFFIXES = ("", "-wal", "-shm")
_RESIZED = ("truncated", "overwritten")


class OwnedFiles:
    """The database at a path, its write-ahead log and its shared memory, until ``release``.

    Raises:
        DatabaseError: another process owns them, or the lock cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock_path = path.with_name(f"{path.name}.lock")
        self._lock = self._locked()
        self._looking = Lock()
        self._seen: dict[str, os.stat_result | None] = dict.fromkeys(_SUFFIXES)

    def note(self) -> None:
        """Remember the files as they are after a write."""
        self._seen = {suffix: self._stat(suffix) for suffix in _SUFFIXES}

    def lost(self) -> str | None:
        """Return which file was removed or replaced since ``note``, or who locked them; None if neither happened."""
        try:
            self.lock_again()
        except DatabaseError as error:
            return error.message
        return self._changed(("removed", "replaced"))

    def resized(self) -> str | None:
        """Return which file has another size than after the last write, though only the owner should write; or None.

        A tool that copies the log into the main file, or compacts it, changes sizes as well, and loses nothing.
        """
        return self._changed(_RESIZED)

    def lock_again(self) -> None:
        """Lock them again, where somebody removed the lock's file.

        Raises:
            DatabaseError: another process has locked them since.
        """
        with self._looking:
            if self._lock >= 0 and not is_same_file(self._lock, self._lock_path):
                lock = self._locked()
                os.close(self._lock)
                self._lock = lock

    def abandon(self, close: Callable[[], None]) -> None:
        """Close the connections to files that were lost, such that nothing is written into another's file.

        SQLite copies the log into the main file at the last close, unless that file has moved. Where the log alone was
        removed or replaced, that saves what it held; otherwise it would spoil the files.
        """
        main = self._change("")
        if main in _RESIZED:
            self.set_aside()
        elif main == "replaced" and self._change("-wal") is None:  # the log is not of the file that stands there now
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}-wal").rename(f"{self.path}.aside-wal")
        if main is None and self._change("-wal") == "truncated":
            away = self.path.rename(self.path.with_name(f"{self.path.name}.closing"))
            close()
            away.rename(self.path)
        else:
            close()
        self._seen = dict.fromkeys(_SUFFIXES)

    def set_aside(self) -> Path:
        """Rename the database and its log, in place of those that were renamed before; return the new path."""
        aside = self.path.with_name(f"{self.path.name}.aside")
        for suffix in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{aside}{suffix}").unlink()
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.path}{suffix}").rename(f"{aside}{suffix}")
        Path(f"{self.path}-shm").unlink(missing_ok=True)
        return aside

    def release(self) -> None:
        """Give them up; the database is closed. Repeated, it does nothing."""
        self._seen = dict.fromkeys(_SUFFIXES)
        lock, self._lock = self._lock, -1
        if lock >= 0:
            release_lock(lock, self._lock_path)

    def _locked(self) -> int:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return lock_file(self._lock_path)
        except LockHeld as held:
            holder = "another process" if held.pid is None else f"pid {held.pid}"
            raise DatabaseError(
                f"{str(self.path)!r} is in use by {holder}", "`wscli ls` lists the managers, `wscli down` stops one"
            ) from None
        except OSError as error:
            raise unusable(self._lock_path, error) from None

    def _changed(self, kinds: Sequence[str]) -> str | None:
        for suffix in _SUFFIXES:
            if (change := self._change(suffix)) in kinds:
                return f"{f'{self.path}{suffix}'!r} was {change} while it was in use"
        return None

    def _change(self, suffix: str) -> str | None:
        was, now = self._seen[suffix], self._stat(suffix)
        if was is None:
            return None
        if now is None:
            return "removed"
        if not os.path.samestat(was, now):
            return "replaced"
        if now.st_size < was.st_size and suffix != "-shm":
            return "truncated"
        return "overwritten" if now.st_size > was.st_size and not suffix else None

    def _stat(self, suffix: str) -> os.stat_result | None:
        try:
            return os.lstat(f"{self.path}{suffix}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError:  # not known at the moment
            return self._seen[suffix]
