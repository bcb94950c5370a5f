"""The jq of a hook: what ends soon is evaluated at once, anything else in a process with limits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from tests.daemon.hooks.hooked import alive, hooked, sh
from tests.waiting import eventually
from wscli.daemon.hooks.filter import FilterProcesses, MessageFilter


@asynccontextmanager
async def processes(*, seconds: float = 0.2, memory: int = 128 << 20) -> AsyncIterator[FilterProcesses]:
    made = FilterProcesses(os.environ, seconds=seconds, memory=memory, patience=100.0)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("expression", [".n > 1", "any(.n; . > 1)"], ids=["simple", "in a process"])
async def test_a_message_fits_does_not_or_is_no_input_of_jq(expression: str) -> None:
    async with processes() as made:
        texts = [b'{"n":2}', b"{}", b"hello", b"NaN", b"[]", b'{"n":3}']
        fits = await MessageFilter(expression, made).fits(texts)
        assert [fits[0], fits[1], fits[2], fits[3], fits[5]] == [True, False, "not JSON", "not JSON", True]
        assert "Cannot index array" in str(fits[4])


async def test_an_expression_that_takes_too_long_fails_on_that_message_alone() -> None:
    async with processes() as made:
        expression = "if .long then (def f: f; f) else true end"
        fits = await MessageFilter(expression, made).fits([b"{}", b'{"long":1}', b"{}"])
        assert [fits[0], str(fits[1]), fits[2]] == [True, "took longer than 0.2 s", True]


async def test_an_expression_that_takes_too_much_memory_fails_on_that_message_alone() -> None:
    async with processes(seconds=60) as made:
        fits = await MessageFilter("[range(.n)] | length > 3", made).fits([b'{"n":1000000000}', b'{"n":9}', b'{"n":1}'])
        assert [str(fits[0]), *fits[1:]] == ["needs more than 128 MiB of memory", True, False]


async def test_the_loop_runs_during_an_evaluation() -> None:
    async with processes(seconds=0.5) as made:
        task = asyncio.ensure_future(MessageFilter("def f: f; f", made).fits([b"1"]))
        turns = 0
        while not task.done():
            turns += 1
            await asyncio.sleep(0.01)
        assert turns > 1


async def test_a_cancelled_evaluation_ends_its_process_and_the_next_one_works() -> None:
    async with processes(seconds=60) as made:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await MessageFilter("def f: f; f", made).fits([b"1"])
        assert await MessageFilter("any(.; .)", made).fits([b"1"]) == [True]


async def test_a_process_that_was_killed_while_idle_fails_no_message() -> None:
    async with processes(seconds=20) as made:
        expression = MessageFilter("any(.; .)", made)
        before = set(psutil.Process().children())
        assert await expression.fits([b"1"]) == [True]
        (idle,) = set(psutil.Process().children()) - before
        idle.kill()
        await eventually(lambda: not alive(idle.pid))
        assert await expression.fits([b"1"]) == [True]


async def test_a_hook_passes_over_a_message_that_its_expression_does_not_end_on(tmp_path: Path) -> None:
    hook = sh("cat >> out", jq="if .long then (def f: f; f) else true end")
    async with hooked(tmp_path, on_message=hook) as it:
        it.hooks._processes._patience = 100.0  # a busy machine takes its time for a second of processor time
        it.server.link.say('{"long": 1}', '{"n": 2}')
        await it.until_problem("on_message: jq: took longer than 1 s")
        it.server.link.say('{"n": 3}')
        assert [one["seq"] for one in await it.until_lines(2)] == [2, 3]
        await eventually(lambda: it.stats()["failures"] == 1)
        await it.until_problem()
