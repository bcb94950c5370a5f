"""The log back end on SQLite: a thread of its own writes the file, and threads of the loop's pool read it.

The file is locked, and watched: one that was removed, replaced, truncated or written by another process while it was in
use is opened again, or created again if it is gone. Its messages are lost then, and numbers go on.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from wscli.database.opening import DatabaseDamaged, unusable
from wscli.database.owned_files import OwnedFiles
from wscli.history.limits import HistoryLimits
from wscli.history.log import Commit, LogFenced, LogSegment, LogState, WriteBatch
from wscli.history.sqlite.file import LogFile
from wscli.history.sqlite.reader import LogReader

__all__ = ["SqliteLog"]

_HINT = "`wscli down` before a history in use is moved or removed"


class SqliteLog:
    """A `LogBackend`, open as soon as it is made.

    Raises:
        DatabaseError: the file cannot be used, is damaged, or another process uses it.
    """

    def __init__(self, path: Path, limits: HistoryLimits) -> None:
        self.name = path.name
        self._path = path
        self._owned = OwnedFiles(path)
        try:
            self._file = LogFile(path, limits)
        except BaseException:
            self._owned.release()
            raise
        self._owned.note()
        self._header = self._file.header
        """The last header that is certainly in the file."""
        self._lost: str | None = None
        """Why the file has to be opened again."""
        self.state = self._file.state
        self._reader = LogReader(path, self.state.epoch)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix=f"history {path.name}")

    @property
    def limits(self) -> HistoryLimits:
        """What retention keeps."""
        return self._file.limits

    @limits.setter
    def limits(self, limits: HistoryLimits) -> None:
        self._file.limits = limits

    def intact(self) -> bool:
        """Whether the files are still those that were opened; if not, the next append opens them again."""
        return self._lost is not None or (self._owned.lost() or self._owned.resized()) is None

    async def open(self) -> LogState:
        """Return what the file holds; open it again where it was lost."""
        if self._lost is not None:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._reopen)
        return self.state

    async def append(self, batch: WriteBatch, now: float) -> Commit:
        """Commit a batch, as `LogBackend` says."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._append, batch, now)

    async def read(self, number: int, upto: int) -> LogSegment:
        """Read from a number on, as `LogBackend` says."""
        return await asyncio.get_running_loop().run_in_executor(None, self._reader.read, number, upto)

    async def find(self, ts: float) -> int | None:
        """Return the first number at or after a time, as `LogBackend` says."""
        return await asyncio.get_running_loop().run_in_executor(None, self._reader.find, ts)

    def end(self, rest: WriteBatch, now: float) -> Commit:
        """Commit the rest and close, before this returns: the next owner may open the file at once."""
        return self._close(rest, now).result()

    async def close(self, rest: WriteBatch, now: float) -> Commit:
        """Commit the rest and close."""
        return await asyncio.wrap_future(self._close(rest, now))

    # in the writer's thread

    def _append(self, batch: WriteBatch, now: float) -> Commit:
        try:
            self._require_owned()
            self._require_whole()
            commit = self._file.write(batch, now)
            self._require_owned()  # else it went into a file that is gone
        except LogFenced as error:
            self._lost = error.message
            raise
        self._owned.note()
        self._header = self._file.header
        return commit

    def _require_owned(self) -> None:
        if reason := self._owned.lost():
            raise LogFenced(reason, _HINT)

    def _require_whole(self) -> None:
        if reason := self._owned.resized():
            if not self._file.is_whole():
                raise LogFenced(reason, _HINT)
            self._owned.note()

    def _reopen(self) -> None:
        oldest = self._file.committed.first
        limits, written = self.limits, self._file.header
        self._owned.lock_again()
        try:
            self._owned.abandon(self._close_file)
            try:
                self._file = LogFile(self._path, limits, self._header, written)
            except DatabaseDamaged:
                self._owned.set_aside()
                self._file = LogFile(self._path, limits, self._header, written)
        except OSError as error:
            raise unusable(self._path, error) from None
        self._owned.note()
        self._header = self._file.header
        state, damage = self._file.state, self._file.damage
        if state.commit.first is None and oldest is not None:
            damage.append(f"{state.commit.last - oldest + 1} messages are lost")
        self.state = state._replace(damage="; ".join([str(self._lost), *damage]) if damage else None)
        self._lost = None
        self._reader = LogReader(self._path, state.epoch)

    def _close_file(self) -> None:
        self._reader.close()
        self._file.abort()

    def _close(self, rest: WriteBatch, now: float) -> Future[Commit]:
        def close() -> Commit:
            try:
                try:
                    self._require_owned()
                    self._require_whole()
                except LogFenced as error:
                    self._lost = error.message
                if self._lost is not None:
                    self._reopen()
                self._reader.close()
                return self._file.close(rest, now)
            finally:
                self._owned.release()

        closing = self._writer.submit(close)
        self._writer.shutdown(wait=False)
        return closing
