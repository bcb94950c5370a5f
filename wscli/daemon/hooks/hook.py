"""One hook of one channel: it runs its command for each event."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from wscli.config.models.hooks import HookPlan
from wscli.daemon.hooks.events import EventSource
from wscli.daemon.hooks.report import HookReport
from wscli.tasks import Tasks
from wscli.timing import OneShot, Schedule

__all__ = ["RESTART_AFTER", "Hook", "RunCommand"]

RESTART_AFTER = 1.0
"""Seconds until a hook that crashed goes on with its next event."""

RunCommand = Callable[[HookPlan, bytes], Awaitable[str | None]]
"""Runs a hook's command for an event; gives the text of the failure, or None."""


class Hook:
    """Runs at most ``plan.parallel`` commands at once, and takes the next event when it may run another.

    It works in tasks of its own; failures are stated in ``report`` and affect nothing else.
    """

    def __init__(
        self,
        name: str,
        plan: HookPlan,
        events: EventSource,
        run: RunCommand,
        report: HookReport,
        *,
        tasks: Tasks,
        schedule: Schedule,
    ) -> None:
        self.plan = plan
        self.events = events
        self._name = name
        self._run = run
        self._report = report
        self._tasks = tasks
        self._running: set[asyncio.Task[None]] = set()
        self._worker: asyncio.Task[None] | None = None
        self._restart = OneShot(schedule)
        self._ended = False
        self.update(plan)

    def update(self, plan: HookPlan) -> None:
        """Run the plan's command from the next event on; running commands go on."""
        self.plan = plan
        self._stop()
        self._report.clear()
        try:
            self.events.update(plan)
        except ValueError as error:  # `config check` reports it as well
            self._report.state("jq", f"jq does not compile: {error}")
        else:
            self._start()

    def end(self) -> None:
        """Take no more events, and kill the running commands."""
        self._ended = True
        self._stop()
        self.events.close()
        self._report.clear()
        for task in self._running:
            task.cancel()

    def _start(self) -> None:
        self._worker = self._tasks.spawn(self._work(), name=self._name, on_crash=self._crashed)

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
        self._restart.cancel()

    async def _work(self) -> None:
        while True:
            while len(self._running) >= self.plan.parallel:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            event = await self.events.next()
            task = self._tasks.spawn(self._once(self.plan, event), name=f"{self._name}: a run", on_crash=self._crashed)
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _once(self, plan: HookPlan, event: bytes) -> None:
        self._report.counts.runs += 1
        self._report.counts.running += 1
        try:
            wrong = await self._run(plan, event)
        finally:
            self._report.counts.running -= 1
        if wrong is not None:
            self._report.counts.failures += 1
        if plan is not self.plan:
            return  # the outcome is of a command that was replaced
        if wrong is None:
            self._report.mended("run")
            self._report.mended("crash")
        else:
            self._report.state("run", wrong)

    def _crashed(self, error: BaseException) -> None:
        if self._ended:
            return
        self._report.state("crash", f"an error of wscli itself: {type(error).__name__}; `wscli logs` has more")
        if self._worker is not None and self._worker.done() and not self._restart.pending:
            self._restart.start(RESTART_AFTER, self._start)
