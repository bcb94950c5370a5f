"""A manager on scripted links whose hooks are real processes, run in a directory of the test's."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from tests.daemon.scripted import Scripted, channel_plan
from tests.waiting import eventually
from wscli.config.models.hooks import MessageHook
from wscli.config.plan import ChannelPlan
from wscli.daemon.hooks import Hooks

__all__ = ["Hooked", "alive", "hooked", "sh"]


def sh(script: str, **more: Any) -> MessageHook:
    return MessageHook(exec=("sh", "-c", script), **more)


def alive(pid: int) -> bool:
    """Whether a process is more than a name waiting to be reaped."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class Hooked(Scripted):
    def __init__(self, directory: Path, *plans: ChannelPlan) -> None:
        super().__init__(*plans)
        self.directory = directory
        self.plan = self.manager.plan = replace(self.plan, file=directory / "app.yaml")
        self.hooks = Hooks(self.manager, environ={**os.environ, "WATCHDOG_USEC": "1"}, schedule=self.time.schedule)
        self.manager.observe(self.hooks)

    def stats(self, hook: str = "on_message") -> dict[str, int]:
        found: dict[str, int] = self.channel.stats()["hooks"][hook]
        return found

    def lines(self, name: str = "out") -> list[str]:
        """The whole lines of a file that the hooks write to."""
        path = self.directory / name
        text = path.read_text() if path.exists() else ""
        return [line for line in text.splitlines(keepends=True) if line[-1] == "\n"]

    async def until_lines(self, count: int, name: str = "out") -> list[Any]:
        await eventually(lambda: len(self.lines(name)) >= count)
        return [json.loads(line) for line in self.lines(name)]

    async def until_problem(self, *texts: str) -> None:
        """Move time on, by which problems are stated, until these are all of them."""
        try:
            async with asyncio.timeout(30):
                while self.channel.problems.texts() != list(texts):
                    await self.time.advance(0.01)
                    await asyncio.sleep(0.001)
        except TimeoutError:
            raise AssertionError(f"{self.channel.problems.texts()} instead of {list(texts)}") from None

    def reload(self, *plans: ChannelPlan) -> Any:
        self.plan = replace(self.plan, channels={plan.name: plan for plan in plans})
        return self.manager.apply(self.plan)


@asynccontextmanager
async def hooked(directory: Path, **changes: Any) -> AsyncIterator[Hooked]:
    """Open one channel with these hooks, and check that nothing of them stays."""
    others = {child.pid for child in psutil.Process().children(recursive=True)}  # of other tests of this session
    it = Hooked(directory, channel_plan(**changes))
    it.manager.open()
    await it.time.settle()
    try:
        yield it
    finally:
        before = psutil.Process().children(recursive=True)
        await it.hooks.close()
        await it.manager.close()
    started = [child.pid for child in before if child.pid not in others]
    await eventually(lambda: not any(alive(pid) for pid in started))  # what is killed dies a moment later
    assert it.time.pending == [], "a timer outlived its manager"
    assert len(it.hooks._tasks) == 0
