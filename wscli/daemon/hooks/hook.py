"""One hook of one channel: it takes events from its inbox, and runs its command for each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from wscli.config.models.hooks import HookPlan
from wscli.daemon.hooks.counts import Counts
from wscli.daemon.hooks.faults import Faults
from wscli.daemon.hooks.inboxes import Inbox
from wscli.tasks import Tasks
from wscli.timing import Schedule, Timer

__all__ = ["RESTART_AFTER", "Hook", "Run"]

RESTART_AFTER = 1.0
"""Seconds after which a hook that failed of itself goes on with its next event."""

Run = Callable[[HookPlan, bytes], Awaitable[str | None]]
"""Runs a command for an event, and says what went wrong."""


class Hook:
    """Runs at most ``plan.parallel`` commands at once. An event is taken from the inbox once one may be run for it.

    All that it does is in tasks of its own; what goes wrong is stated in ``faults`` and felt nowhere else.
    """

    def __init__(
        self,
        name: str,
        plan: HookPlan,
        inbox: Inbox,
        run: Run,
        *,
        counts: Counts,
        faults: Faults,
        tasks: Tasks,
        schedule: Schedule,
    ) -> None:
        self.plan = plan
        self.inbox = inbox
        self.counts = counts
        self._name = name
        self._run = run
        self._faults = faults
        self._tasks = tasks
        self._schedule = schedule
        self._running: set[asyncio.Task[None]] = set()
        self._worker: asyncio.Task[None] | None = None
        self._restart: Timer | None = None
        self._ended = False
        self._use(plan)

    def update(self, plan: HookPlan) -> None:
        """Run another command from the next event on; what is running goes on."""
        self.plan = plan
        self._stop()
        self._faults.clear()
        self._use(plan)

    def end(self) -> None:
        """Take no more events, and kill what is running."""
        self._ended = True
        self._stop()
        self.inbox.close()
        self._faults.clear()
        for task in self._running:
            task.cancel()

    def _use(self, plan: HookPlan) -> None:
        try:
            self.inbox.update(plan)
        except ValueError as error:  # found when the file was read; stated all the same
            self._faults.state("jq", f"jq does not compile: {error}")
        else:
            self._start()

    def _start(self) -> None:
        self._restart = None
        self._worker = self._tasks.spawn(self._work(), name=self._name, on_crash=self._crashed)

    def _stop(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None

    async def _work(self) -> None:
        while True:
            while len(self._running) >= self.plan.parallel:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            event = await self.inbox.next()
            task = self._tasks.spawn(self._once(self.plan, event), name=f"{self._name}: a run", on_crash=self._crashed)
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _once(self, plan: HookPlan, event: bytes) -> None:
        self.counts.runs += 1
        self.counts.running += 1
        try:
            wrong = await self._run(plan, event)
        finally:
            self.counts.running -= 1
        if wrong is not None:
            self.counts.failures += 1
        if plan is not self.plan:
            return  # of the command as it was
        if wrong is None:
            self._faults.mended("run")
            self._faults.mended("crash")
        else:
            self._faults.state("run", wrong)

    def _crashed(self, error: BaseException) -> None:
        if self._ended:
            return
        self._faults.state("crash", f"an error of wscli itself: {type(error).__name__}; `wscli logs` has more")
        if self._worker is not None and self._worker.done() and self._restart is None:
            self._restart = self._schedule(RESTART_AFTER, self._start)
