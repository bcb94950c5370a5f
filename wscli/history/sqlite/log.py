"""The log back end on SQLite: a thread of its own writes the file, and threads of the loop's pool read it."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from wscli.history.limits import HistoryLimits
from wscli.history.log import Commit, LogSegment, LogState, WriteBatch
from wscli.history.sqlite.file import LogFile
from wscli.history.sqlite.reader import LogReader

__all__ = ["SqliteLog"]


class SqliteLog:
    """A `LogBackend`, open as soon as it is made.

    Raises:
        DatabaseError: the file cannot be used, or is damaged.
    """

    def __init__(self, path: Path, limits: HistoryLimits) -> None:
        self.name = path.name
        self._file = LogFile(path, limits)
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

    async def open(self) -> LogState:
        """Return what the file held."""
        return self.state

    async def append(self, batch: WriteBatch, now: float) -> Commit:
        """Commit a batch, as `LogBackend` says."""
        return await asyncio.get_running_loop().run_in_executor(self._writer, self._file.write, batch, now)

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

    def _close(self, rest: WriteBatch, now: float) -> Future[Commit]:
        def close() -> Commit:
            self._reader.close()
            return self._file.close(rest, now)

        closing = self._writer.submit(close)
        self._writer.shutdown(wait=False)
        return closing
