"""The hooks of all channels, following the channels and their plans."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial

from wscli.config.models.hooks import ConnectHook, HookPlan
from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.hooks.command import StartPacer, environment, run_command
from wscli.daemon.hooks.connect import OnConnect
from wscli.daemon.hooks.events import EventSource, MessageEvents, StateEvents
from wscli.daemon.hooks.filter import FilterProcesses
from wscli.daemon.hooks.hook import Hook
from wscli.daemon.hooks.report import HookReport
from wscli.daemon.registry.manager import Manager
from wscli.daemon.registry.observer import Observer
from wscli.tasks import Tasks
from wscli.timing import Schedule, call_later

__all__ = ["Hooks"]

logger = logging.getLogger("wscli.manager")


class Hooks(Observer):
    """Runs the commands of ``on_connect``, ``on_state`` and ``on_message``.

    A channel waits only for its ``on_connect``. A hook does not count as a use of its channel. Create this before the
    manager is opened, so that it sees the first change.
    """

    def __init__(
        self, manager: Manager, *, environ: Mapping[str, str] = os.environ, schedule: Schedule = call_later
    ) -> None:
        self._manager = manager
        self._environ = environ
        self._schedule = schedule
        self._tasks = Tasks()
        self._starts = StartPacer()
        self._processes = FilterProcesses(environ)
        self._closed = False
        self._following = False
        self._hooks: dict[Channel, dict[str, Hook | OnConnect]] = {}
        self._told: dict[Channel, tuple[ChannelState, int | None]] = {}
        """The last change that each channel's hooks saw: its state, and while it is ready the number of connections."""
        self.reloaded()

    def reloaded(self) -> None:
        """Bring the hooks of every channel in line with its plan."""
        for channel in self._manager.channels():
            self.channel_changed(channel)

    def channel_changed(self, channel: Channel) -> None:
        """Bring a channel's hooks in line with its plan, and tell them of its state."""
        if self._closed or self._following:  # a problem that a hook states is itself a change of the channel
            return
        self._following = True
        try:
            self._follow(channel)
        except Exception as error:  # it runs within a step of the channel, which must go on
            logger.exception("the hooks of %s failed", channel.name)
            channel.problems.state("hooks", f"an error of wscli itself: {type(error).__name__}; `wscli logs` has more")
        finally:
            self._following = False

    async def close(self) -> None:
        """End all hooks and kill the running commands, within a second."""
        self._closed = True
        for hooks in self._hooks.values():
            for hook in hooks.values():
                hook.end()
        await self._tasks.close()
        self._processes.close()

    def _follow(self, channel: Channel) -> None:
        hooks, plan = self._hooks.setdefault(channel, {}), channel.plan
        names = ("on_connect", "on_state", "on_message")
        declared = {} if channel.removed else {name: getattr(plan, name) for name in names}
        for name in [name for name in hooks if declared.get(name) is None]:
            del channel.hook_stats[name]
            hooks.pop(name).end()
        for name, hook_plan in declared.items():
            if hook_plan is not None and name not in hooks:
                hooks[name] = self._make(name, channel, hook_plan)
            elif hook_plan is not None and hooks[name].plan != hook_plan:
                hooks[name].update(hook_plan)
        if channel.removed:
            del self._hooks[channel]
            self._told.pop(channel, None)
            return
        # a rotation brings another connection, without a change of state
        now = (channel.state, channel.counters.connects if channel.state is ChannelState.READY else None)
        before, self._told[channel] = self._told.get(channel, (ChannelState.IDLE, None)), now
        if now != before and isinstance(hook := hooks.get("on_state"), Hook):
            hook.events.state_changed()

    def _make(self, name: str, channel: Channel, plan: HookPlan | ConnectHook) -> Hook | OnConnect:
        async def run(
            plan: HookPlan | ConnectHook, event: bytes, connection: int | None = None, output: bytearray | None = None
        ) -> str | None:
            instance, cwd = self._manager.plan.name, self._manager.plan.file.parent
            environ = environment(
                self._environ, channel=channel.name, instance=instance, hook=name, connection=connection
            )
            await self._starts.turn()
            return await run_command(plan, event, cwd=cwd, environ=environ, secrets=self._secrets, output=output)

        report = HookReport(name, channel.problems, self._schedule)
        channel.hook_stats[name] = partial(asdict, report.counts)
        if isinstance(plan, ConnectHook):
            return OnConnect(channel, plan, run, report)
        events: EventSource
        events = StateEvents(channel, report) if name == "on_state" else MessageEvents(channel, report, self._processes)
        return Hook(f"{name} {channel.name}", plan, events, run, report, tasks=self._tasks, schedule=self._schedule)

    def _secrets(self) -> set[str]:
        """Give the secrets that a command may know from its environment or the manager."""
        plan = self._manager.plan
        tokens = {found.value.reveal() for name in plan.tokens if (found := self._manager.broker.peek(name))}
        own = {plan.gateway.token.reveal()} if plan.gateway is not None and plan.gateway.token is not None else set()
        return {*plan.secrets, *tokens, *own}
