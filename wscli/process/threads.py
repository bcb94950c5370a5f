"""Threads for what blocks, such as a name lookup, that nobody has to wait for when the manager goes.

The threads of the standard pool are joined when the loop ends, and again when the interpreter does: a resolver that
does not answer would hold up ``wscli down`` for half a minute.
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
"""Threads at once; what is more waits for one."""


class AbandonedThreads(ThreadPoolExecutor):
    """A default executor of daemon threads: each ends when there is nothing to do, and ``shutdown`` waits for none.

    It is a ThreadPoolExecutor in name only, since asyncio takes no other.
    """

    def __init__(self) -> None:
        super().__init__(max_workers=1)  # none of its own is ever started
        self._waiting: deque[Callable[[], None]] = deque()
        self._running = 0
        self._guard = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call it in a thread, as soon as one is free."""
        future: Future[T] = Future()

        def call() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # whatever it is, it belongs to whoever waits for the result
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
        """Begin nothing more."""
        with self._guard:
            self._waiting.clear()
