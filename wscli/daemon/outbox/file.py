"""The outbox's file in a thread of its own: the loop never waits for a disk.

Calls that wait for the thread at the same time are carried out in one transaction, in the order of their coming: what
a commit costs, twenty clients pay together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from wscli.outbox.ledger import Changes
from wscli.outbox.store import OutboxStore

__all__ = ["OutboxFile"]

T = TypeVar("T")


class OutboxFile:
    """The store, opened when it is first asked for something.

    Args:
        path: gives where it is.
        on_change: called in the loop after each commit, before whoever called goes on.

    """

    def __init__(self, path: Callable[[], Path], on_change: Callable[[Changes], None]) -> None:
        self._path = path
        self._on_change = on_change
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="wscli-outbox")
        self._store: OutboxStore | None = None
        self._waiting: list[tuple[Callable[[OutboxStore], Any], asyncio.Future[Any]]] = []
        self._working: asyncio.Future[Any] | None = None

    def exists(self) -> bool:
        """Whether there is a file already; OSError where nobody can say."""
        return self._store is not None or self._path().exists()

    def submit(self, call: Callable[[OutboxStore], T]) -> asyncio.Future[T]:
        """Have something done with the store; it is done whether or not anybody waits for it.

        The future has what the call raises, DatabaseError where the file cannot be used.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, future))
        if self._working is None:
            self._work()
        return future

    async def close(self) -> None:
        """Do what was asked for, and close the file."""
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

        def done(work: asyncio.Future[tuple[list[Any], Changes | None]]) -> None:
            results, changes = work.result()
            for (_, future), result in zip(batch, results, strict=True):
                _settle(future, result)
            self._working = None
            if self._waiting:
                self._work()
            if changes is not None:
                self._on_change(changes)

        work.add_done_callback(done)
        self._working = work

    def _carry_out(self, calls: list[Callable[[OutboxStore], Any]]) -> tuple[list[Any], Changes | None]:
        try:
            if self._store is None:
                self._store = OutboxStore(self._path())
            return self._store.together(calls), self._store.changes()
        except Exception as error:  # it is for those who wait in the loop
            return [error] * len(calls), None


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if future.done():
        return  # whoever asked has gone
    if isinstance(result, BaseException):
        future.set_exception(result)
        future.exception()  # it counts as seen: of what nobody waits for, nobody needs to know
    else:
        future.set_result(result)
