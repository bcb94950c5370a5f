"""The hooks of all channels, following the channels and their plans."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace

from wscli.config.plan import HookPlan
from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.hooks.command import StartPacer, environment, run_command
from wscli.daemon.hooks.events import MessageEvents, StateEvents
from wscli.daemon.hooks.hook import Hook
from wscli.daemon.hooks.report import HookReport
from wscli.daemon.registry.manager import Manager
from wscli.daemon.registry.observer import Observer
from wscli.tasks import Tasks
from wscli.timing import Schedule, call_later

__all__ = ["Hooks"]

logger = logging.getLogger("wscli.manager")


class Hooks(Observer):
    """Runs the commands of ``on_state`` and ``on_message``.

    A channel never waits for its hooks, and a hook does not count as a use of its channel. Make it before the manager
    is opened, so that it sees the first change.
    """

    def __init__(
        self, manager: Manager, *, environ: Mapping[str, str] = os.environ, schedule: Schedule = call_later
    ) -> None:
        self._manager = manager
        self._environ = environ
        self._schedule = schedule
        self._tasks = Tasks()
        self._starts = StartPacer()
        self._closed = False
        self._by_channel: dict[Channel, _ChannelHooks] = {}
        self.reloaded()

    def reloaded(self) -> None:
        """Bring the hooks of every channel in line with its plan."""
        for channel in self._manager.channels():
            self.channel_changed(channel)

    def channel_changed(self, channel: Channel) -> None:
        """Bring a channel's hooks in line with its plan, and tell them of its state."""
        if self._closed:
            return
        if channel.removed:
            if (gone := self._by_channel.pop(channel, None)) is not None:
                gone.end()
            return
        if channel not in self._by_channel:
            self._by_channel[channel] = _ChannelHooks(self, channel)
        try:
            self._by_channel[channel].follow()
        except Exception as error:  # it runs within a step of the channel, which must go on
            logger.exception("the hooks of %s failed", channel.name)
            channel.problems.state("hooks", f"an error of wscli itself: {type(error).__name__}; `wscli logs` has more")

    async def close(self) -> None:
        """End all hooks and kill the running commands, within a second."""
        self._closed = True
        for one in self._by_channel.values():
            one.end()
        self._by_channel.clear()
        await self._tasks.close()

    def make(self, name: str, channel: Channel, plan: HookPlan, kind: type[StateEvents] | type[MessageEvents]) -> Hook:
        """Make and start a hook of a channel."""

        async def once(plan: HookPlan, event: bytes) -> str | None:
            whose = {"channel": channel.name, "instance": self._manager.plan.name, "hook": name}
            environ, cwd = environment(self._environ, **whose), self._manager.plan.file.parent
            await self._starts.turn()
            return await run_command(plan, event, cwd=cwd, environ=environ, secrets=self._secrets)

        report = HookReport(name, channel.problems, self._schedule)
        channel.hook_stats[name] = report.counts.as_dict
        events, task = kind(channel, report), f"{name} {channel.name}"
        return Hook(task, plan, events, once, report, tasks=self._tasks, schedule=self._schedule)

    def _secrets(self) -> set[str]:
        """Give the secrets that a command may know from its environment or the manager."""
        plan = self._manager.plan
        tokens = {found.value.reveal() for name in plan.tokens if (found := self._manager.broker.peek(name))}
        own = {plan.gateway.token.reveal()} if plan.gateway is not None and plan.gateway.token is not None else set()
        return {*plan.secrets, *tokens, *own}


class _ChannelHooks:
    """The hooks of one channel, and the state that they were told of last."""

    def __init__(self, hooks: Hooks, channel: Channel) -> None:
        self._hooks = hooks
        self._channel = channel
        self._state = ChannelState.IDLE  # every channel's first
        self._present: dict[str, Hook] = {}
        self._following = False

    def follow(self) -> None:
        if self._following:  # a problem that it stated is itself a change of the channel
            return
        self._following = True
        try:
            self._follow()
        finally:
            self._following = False

    def _follow(self) -> None:
        plan = self._channel.plan
        self._set("on_state", plan.on_state and replace(plan.on_state, parallel=1), StateEvents)
        self._set("on_message", plan.on_message, MessageEvents)
        if self._channel.state is not self._state:
            self._state = self._channel.state
            if (on_state := self._present.get("on_state")) is not None and isinstance(on_state.events, StateEvents):
                on_state.events.put()

    def end(self) -> None:
        for name in list(self._present):
            self._set(name, None, StateEvents)

    def _set(self, name: str, plan: HookPlan | None, kind: type[StateEvents] | type[MessageEvents]) -> None:
        present = self._present.get(name)
        if plan is None:
            if present is not None:
                del self._present[name], self._channel.hook_stats[name]
                present.end()
        elif present is None:
            self._present[name] = self._hooks.make(name, self._channel, plan, kind)
        elif present.plan != plan:
            present.update(plan)
