"""Blocking calls run beside the loop, a bounded number at once, and hold up no end."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from wscli.process.threads import MOST, AbandonedThreads


async def test_a_result_and_an_error_come_back() -> None:
    loop = asyncio.get_running_loop()
    threads = AbandonedThreads()
    assert await loop.run_in_executor(threads, sorted, [2, 1]) == [1, 2]
    with pytest.raises(ValueError, match="invalid literal"):
        await loop.run_in_executor(threads, int, "x")


async def test_threads_are_limited_and_further_calls_are_queued() -> None:
    loop = asyncio.get_running_loop()
    threads, release, full = AbandonedThreads(), threading.Event(), asyncio.Event()
    running, most, guard = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
            if running == MOST:
                loop.call_soon_threadsafe(full.set)
        release.wait(10)
        with guard:
            running -= 1

    calls = [loop.run_in_executor(threads, work) for _ in range(MOST + 8)]
    await full.wait()
    release.set()
    await asyncio.gather(*calls)
    assert most == MOST


async def test_a_cancelled_call_in_the_queue_is_not_made() -> None:
    loop = asyncio.get_running_loop()
    threads, release, called = AbandonedThreads(), threading.Event(), threading.Event()
    blocking = [loop.run_in_executor(threads, release.wait, 10) for _ in range(MOST)]
    given_up = loop.run_in_executor(threads, called.set)
    given_up.cancel()
    await asyncio.sleep(0)  # the thread's side of it learns of that in the next turn
    release.set()
    await asyncio.gather(*blocking)
    await loop.run_in_executor(threads, int)
    assert not called.is_set()


def test_the_end_of_a_loop_waits_for_no_thread() -> None:
    release = threading.Event()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(AbandonedThreads())
        asyncio.ensure_future(asyncio.to_thread(release.wait, 30))  # noqa: RUF006 - abandoned on purpose
        await asyncio.sleep(0)

    began = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - began < 10
    release.set()
