"""What tasks promise their owners: each failure is told, and none outlives the whole."""

from __future__ import annotations

import asyncio

import pytest

from wscli.tasks import Tasks, unless


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def explode() -> None:
    raise KeyError("unforeseen")


async def be_cancelled_by_nobody() -> None:
    raise asyncio.CancelledError


async def ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait([task])
    await asyncio.sleep(0)


@pytest.mark.parametrize(("work", "error"), [(explode, KeyError), (be_cancelled_by_nobody, asyncio.CancelledError)])
async def test_a_failure_is_told_to_its_owner(work: object, error: type[BaseException]) -> None:
    tasks, told = Tasks(), []
    await ended(tasks.spawn(work(), name="work", on_crash=told.append))  # type: ignore[operator]  # a coroutine function
    assert [type(one) for one in told] == [error]
    assert len(tasks) == 0


async def test_who_cancels_a_task_is_not_told() -> None:
    tasks, told = Tasks(), []
    task = tasks.spawn(forever(), name="work", on_crash=told.append)
    await asyncio.sleep(0)
    task.cancel()
    await ended(task)
    assert told == []


async def test_closing_ends_tasks_that_others_start_meanwhile() -> None:
    tasks = Tasks()

    async def starts_another() -> None:
        try:
            await forever()
        finally:
            tasks.spawn(forever(), name="another")

    tasks.spawn(starts_another(), name="first")
    await asyncio.sleep(0)
    await tasks.close()
    assert len(tasks) == 0


async def answer() -> str:
    return "done"


async def test_work_is_done_unless_it_is_interrupted_first() -> None:
    assert await unless(answer(), forever()) == "done"
    work = asyncio.get_running_loop().create_future()
    with pytest.raises(KeyError):
        await unless(asyncio.wait_for(work, None), explode())
    assert work.cancelled()
    both = asyncio.create_task(unless(forever(), forever()))
    await asyncio.sleep(0)
    both.cancel()
    with pytest.raises(asyncio.CancelledError):
        await both  # neither outlives it: the leak fixture sees that
