"""A command is a child with a group of its own, and nothing of it outlives its end, whenever that comes."""

from __future__ import annotations

import asyncio
import gc
import os
from pathlib import Path

import psutil
import pytest

from tests.waiting import descriptors
from wscli.child import ERROR_TAIL, Child


async def started(*argv: str, stdin: bytes | None = None, **limits: int) -> Child:
    return await Child(**limits).start(argv, cwd=Path("/"), environ=os.environ, stdin=stdin)


async def test_a_child_gets_all_of_stdin_and_its_output_is_kept() -> None:
    child = await started("sh", "-c", "cat; echo oh >&2; exit 3", stdin=b"hello", most_output=100)
    await child.over
    await child.end(kill=False)
    assert (child.code, bytes(child.output), bytes(child.errors)) == (3, b"hello", b"oh\n")
    assert not child.overflowed


async def test_a_child_with_too_much_output_is_ended_at_once() -> None:
    child = await started("yes", most_output=1000)
    await child.over
    assert child.overflowed
    await child.end(kill=True)
    assert child.code == -9


async def test_the_end_of_stderr_is_kept() -> None:
    child = await started("sh", "-c", "head -c 100000 /dev/zero >&2; echo last >&2")
    await child.over
    await child.end(kill=False)
    assert len(child.errors) == ERROR_TAIL
    assert child.errors.endswith(b"last\n")


async def test_a_child_that_cannot_be_started_is_an_error_and_leaves_nothing() -> None:
    child = Child()
    with pytest.raises(FileNotFoundError):
        await child.start(["./nowhere"], cwd=Path("/"), environ={}, stdin=None)
    await child.end(kill=True)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("turns", range(8))
async def test_cancelling_while_it_starts_leaves_neither_process_nor_descriptor(turns: int, times: int) -> None:
    await (await started("true")).end(kill=True)
    before, children = descriptors(), len(psutil.Process().children())
    task = asyncio.create_task(started("sleep", "1000", stdin=b"x"))
    for _ in range(turns):
        await asyncio.sleep(0)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    try:
        child = await task
    except asyncio.CancelledError:
        pass
    else:
        await child.end(kill=True)
    assert len(psutil.Process().children()) == children
    await asyncio.sleep(0)  # in which the loop closes the pipes
    gc.collect()  # asyncio warns of a pipe that nobody closed when it is collected
    assert descriptors() <= before
