"""The store in a thread of its own, so that the event loop never waits for a disk.

Calls that wait for the thread at the same time share one transaction, in the order of their submission: twenty clients
pay for one commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from wscli.daemon.outbox.messages import CommitReport
from wscli.daemon.outbox.store import OutboxStore
from wscli.database.opening import DatabaseError
from wscli.problems import Problems

__all__ = ["StoreThread"]

T = TypeVar("T")

_NO_DIRECTORY = "start the manager with HOME, XDG_STATE_HOME or STATE_DIRECTORY set"
RETRY = 5.0
"""Seconds between two tries to use a file that refuses."""


class StoreThread:
    """The store of a file, opened at the first call; without a path every call fails.

    ``on_commit`` is called in the event loop after each change, before the callers that made it go on. ``insist``
    states among the ``problems`` that the file refuses.
    """

    def __init__(self, path: Path | None, on_commit: Callable[[CommitReport], None], problems: Problems) -> None:
        self._path = path
        self._on_commit = on_commit
        self._problems = problems
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="wscli-outbox")
        self._store: OutboxStore | None = None
        self._waiting: list[tuple[Callable[[OutboxStore], Any], asyncio.Future[Any]]] = []
        self._working: asyncio.Future[Any] | None = None

    def exists(self) -> bool:
        """Whether the file exists; raises OSError where that cannot be known."""
        return self._store is not None or (self._path is not None and self._path.exists())

    def submit(self, call: Callable[[OutboxStore], T]) -> asyncio.Future[T]:
        """Have a call carried out, whether or not its caller waits for the future.

        The future has the exception of the call: DatabaseError where the file cannot be used.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._working is None:
            self._work()
        return future

    async def look(self) -> None:
        """Replace a lost file now; otherwise the next call does."""
        if self._store is not None and self._working is None and self._store.changed():
            await self.insist(lambda store: None)

    async def insist(self, call: Callable[[OutboxStore], T]) -> T:
        """Repeat a call until the file takes it; meanwhile the fault is a stated problem."""
        stated = False
        while True:
            try:
                result = await self.submit(call)
            except DatabaseError as error:
                self._problems.state("outbox", error.message)
                stated = True
                await asyncio.sleep(RETRY)
            else:
                if stated:
                    self._problems.mended("outbox")
                return result

    async def close(self) -> None:
        """Carry out what was submitted, and close the file."""
        while self._working is not None:
            await asyncio.wait({self._working})
        store, self._store = self._store, None
        if store is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, store.close)
        self._thread.shutdown()

    def _work(self) -> None:
        batch, self._waiting = self._waiting, []
        calls = [call for call, _ in batch]
        work = asyncio.get_running_loop().run_in_executor(self._thread, self._carry_out, calls)

        def done(work: asyncio.Future[tuple[list[Any], CommitReport | None]]) -> None:
            results, report = work.result()
            for (_, future), result in zip(batch, results, strict=True):
                _settle(future, result)
            self._working = None
            if self._waiting:
                self._work()
            if report is not None:
                self._on_commit(report)

        work.add_done_callback(done)
        self._working = work

    def _carry_out(self, calls: list[Callable[[OutboxStore], Any]]) -> tuple[list[Any], CommitReport | None]:
        try:
            store, self._store = self._store or self._opened(), None
            store.renew_if_lost()
            self._store = store
            results = store.together(calls)
        except Exception as error:  # for the callers, who wait in the event loop
            return [error] * len(calls), None
        try:
            return results, store.report()
        except DatabaseError:  # the next call reports
            return results, None

    def _opened(self) -> OutboxStore:
        if self._path is None:
            raise DatabaseError("the outbox has no directory: HOME is not set", _NO_DIRECTORY)
        return OutboxStore(self._path)


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():
        return  # its caller was cancelled
    if isinstance(result, BaseException):
        future.set_exception(result)
        future.exception()  # retrieved: asyncio does not log the failure of a call that has no caller left
    else:
        future.set_result(result)
