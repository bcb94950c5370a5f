"""The hooks of all channels: they come, change and go with the channels and their plans."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

from wscli.config.models.hooks import HookPlan
from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.hooks.command import environment, run
from wscli.daemon.hooks.counts import Counts
from wscli.daemon.hooks.faults import Faults
from wscli.daemon.hooks.hook import Hook
from wscli.daemon.hooks.inboxes import Messages, States
from wscli.daemon.hooks.starts import Starts
from wscli.daemon.registry.manager import Manager
from wscli.tasks import Tasks
from wscli.timing import Schedule, call_later

__all__ = ["Hooks"]

logger = logging.getLogger("wscli.manager")


class Hooks:
    """Runs what ``on_state`` and ``on_message`` declare.

    It is told of every channel that changes, and looks at it: nothing of a channel waits for a hook, and a hook is no
    use of its channel. Make it before the manager is opened, so that the first change is seen.
    """

    def __init__(
        self, manager: Manager, *, environ: Mapping[str, str] = os.environ, schedule: Schedule = call_later
    ) -> None:
        self._manager = manager
        self._environ = environ
        self._schedule = schedule
        self._tasks = Tasks()
        self._starts = Starts()
        self._closed = False
        self._of: dict[Channel, _Of] = {}
        manager.watchers.append(self.look)
        manager.after_apply.append(self.look_at_all)
        self.look_at_all()

    def look_at_all(self) -> None:
        """See which hooks the channels have by now."""
        for channel in self._manager.channels():
            self.look(channel)

    def look(self, channel: Channel) -> None:
        """See how a channel stands, and which hooks it has by now."""
        if self._closed:
            return
        if channel.removed:
            if (gone := self._of.pop(channel, None)) is not None:
                gone.end()
            return
        if channel not in self._of:
            self._of[channel] = _Of(self, channel)
        try:
            self._of[channel].look()
        except Exception as error:  # called from a channel's step, which must not suffer
            logger.exception("the hooks of %s failed", channel.name)
            channel.problems.state("hooks", f"an error of wscli itself: {type(error).__name__}; `wscli logs` has more")

    async def close(self) -> None:
        """End all hooks; what still runs is killed, within a second."""
        self._closed = True
        for one in self._of.values():
            one.end()
        self._of.clear()
        await self._tasks.close()

    def make(self, name: str, channel: Channel, plan: HookPlan, kind: type[States] | type[Messages]) -> Hook:
        """Make a channel's hook, and start it."""

        async def once(plan: HookPlan, event: bytes) -> str | None:
            whose = {"channel": channel.name, "instance": self._manager.plan.name, "hook": name}
            cwd = self._manager.plan.file.parent
            await self._starts.turn()
            return await run(plan, event, cwd=cwd, environ=environment(self._environ, **whose), secrets=self._secrets)

        counts, faults = Counts(), Faults(name, channel.problems, self._schedule)
        channel.hook_stats[name] = counts.as_dict
        return Hook(
            f"{name} {channel.name}",
            plan,
            kind(channel, counts, faults),
            once,
            counts=counts,
            faults=faults,
            tasks=self._tasks,
            schedule=self._schedule,
        )

    def _secrets(self) -> set[str]:
        """Give what a command may have got from its environment or the manager, and is not to be repeated."""
        plan = self._manager.plan
        tokens = {found.value.reveal() for name in plan.tokens if (found := self._manager.broker.peek(name))}
        own = {plan.gateway.token.reveal()} if plan.gateway is not None and plan.gateway.token is not None else set()
        return {*plan.secrets, *tokens, *own}


class _Of:
    """The hooks of one channel, and the state that they know of."""

    def __init__(self, hooks: Hooks, channel: Channel) -> None:
        self._hooks = hooks
        self._channel = channel
        self._state = ChannelState.IDLE  # in which every channel begins
        self._present: dict[str, Hook] = {}
        self._looking = False

    def look(self) -> None:
        if self._looking:  # what it found made the channel state a problem, which is a change of the channel
            return
        self._looking = True
        try:
            self._look()
        finally:
            self._looking = False

    def _look(self) -> None:
        plan = self._channel.plan
        self._set("on_state", plan.on_state, States)
        self._set("on_message", plan.on_message, Messages)
        if self._channel.state is not self._state:
            self._state = self._channel.state
            if (on_state := self._present.get("on_state")) is not None and isinstance(on_state.inbox, States):
                on_state.inbox.put()

    def end(self) -> None:
        for name in list(self._present):
            self._set(name, None, States)

    def _set(self, name: str, plan: HookPlan | None, kind: type[States] | type[Messages]) -> None:
        present = self._present.get(name)
        if plan is None:
            if present is not None:
                del self._present[name], self._channel.hook_stats[name]
                present.end()
        elif present is None:
            self._present[name] = self._hooks.make(name, self._channel, plan, kind)
        elif present.plan != plan:
            present.update(plan)
