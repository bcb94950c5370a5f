"""Processes are started one after the other, with time in between."""

from __future__ import annotations

import asyncio

from wscli.daemon.hooks.starts import APART, Starts


async def test_starts_are_apart_and_in_the_order_of_their_coming() -> None:
    starts, passed = Starts(), []
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def one(number: int) -> None:
        await starts.turn()
        passed.append((number, loop.time()))

    await asyncio.gather(*map(one, range(4)))
    assert [number for number, _ in passed] == [0, 1, 2, 3]
    assert passed[-1][1] - began >= 2.9 * APART


async def test_one_that_gives_up_holds_nobody_up() -> None:
    starts = Starts()
    await starts.turn()
    waiting = asyncio.create_task(starts.turn())
    behind = asyncio.create_task(starts.turn())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait_for(behind, 30)
