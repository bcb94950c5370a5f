"""Threads for blocking calls, such as name lookups, that the end of the process does not wait for.

The standard pool joins its threads when the loop ends, and again when the interpreter does: a resolver that does not
answer would delay ``wscli down`` by half a minute.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

__all__ = ["MOST", "AbandonedThreads"]

P = ParamSpec("P")
T = TypeVar("T")

MOST = 32
"""Threads at once; further calls are queued."""


class AbandonedThreads(ThreadPoolExecutor):
    """A default executor of daemon threads: a thread ends when the queue is empty, and ``shutdown`` waits for none.

    It is a ThreadPoolExecutor only because asyncio accepts no other type.
    """

    def __init__(self) -> None:
        super().__init__(max_workers=1)  # the base class starts no thread
        self._waiting: deque[Callable[[], None]] = deque()
        self._running = 0
        self._guard = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call a function in a thread, as soon as one is free."""
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # passed to the waiter
                future.set_exception(error)

        with self._guard:
            self._waiting.append(call)
            if self._running == MOST:
                return future
            self._running += 1
        threading.Thread(target=self._work, name="wscli-blocking", daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            with self._guard:
                if not self._waiting:
                    self._running -= 1
                    return
                call = self._waiting.popleft()
            call()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Start no queued call."""
        with self._guard:
            self._waiting.clear()
