"""Channels made from templates: made on demand, bounded in number, forgotten some time after they closed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from functools import partial

from wscli.config.plan import ChannelPlan, Plan
from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.errors import UnknownChannel
from wscli.templates import NameTemplate, compile_name
from wscli.timing import Schedule, Timer

__all__ = ["TemplateChannels"]

MAX_INSTANCES = 1_000
FORGET_AFTER = 600.0
"""Seconds that a closed, unused instance keeps its history."""

_FORGETTABLE = frozenset({ChannelState.IDLE, ChannelState.FAILED, ChannelState.DONE})


class TemplateChannels:
    """Finds the template that a name fits, and forgets instances that nobody needs."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        *,
        schedule: Schedule,
        drop: Callable[[Channel], None],
    ) -> None:
        """``drop`` takes a channel out of the registry, and removes it."""
        self._channels = channels
        self._schedule = schedule
        self._drop = drop
        self._timers: dict[str, Timer] = {}
        """Of what is to be forgotten, in the order in which it closed."""
        self._compiled: dict[str, NameTemplate] = {}

    def find(self, name: str, plan: Plan) -> tuple[ChannelPlan, dict[str, str]] | None:
        """Give the declared plan of a name and its parameters; a literal channel beats a template."""
        literal = plan.channels.get(name)
        if literal is not None:
            return None if literal.params else (literal, {})
        for declared in plan.channels.values():
            if declared.params and (params := self._template(declared.name).match(name)) is not None:
                return declared, params
        return None

    def match(self, name: str, plan: Plan) -> tuple[ChannelPlan, dict[str, str]]:
        """Give the template that a name fits, and the parameters.

        Raises:
            UnknownChannel: nothing fits.

        """
        found = self.find(name, plan)
        if found is None:
            raise UnknownChannel(f"no channel {name!r} in instance {plan.name!r}", self._hint(name, plan))
        return found

    def make_room(self, name: str) -> None:
        """See that one more may live: of a thousand, the one that closed first is forgotten.

        Raises:
            UnknownChannel: all of them are needed.

        """
        if sum(bool(channel.plan.params) for channel in self._channels.values()) < MAX_INSTANCES:
            return
        closed = (self._channels[one] for one in self._timers)
        needless = next((channel for channel in closed if not channel.in_use), None)
        if needless is None:
            raise UnknownChannel(
                f"channel {name!r} would be one more than {MAX_INSTANCES} channels of templates in use or held",
                "end some of the commands that use them; `wscli status` lists them",
            )
        self._drop(needless)

    def changed(self, channel: Channel) -> None:
        """Look at a channel that changed: a closed instance of a template is forgotten after a while."""
        if self._channels.get(channel.name) is not channel:
            return
        self.forgotten(channel.name)
        if channel.plan.params and channel.state in _FORGETTABLE:
            self._timers[channel.name] = self._schedule(FORGET_AFTER, partial(self._forget, channel))

    def forgotten(self, name: str) -> None:
        """Forget a name, whose channel is gone, or needed."""
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """Forget nothing more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _forget(self, channel: Channel) -> None:
        if channel.in_use:
            self.changed(channel)
        else:
            self._drop(channel)

    def _template(self, name: str) -> NameTemplate:
        if name not in self._compiled:
            self._compiled[name] = compile_name(name)
        return self._compiled[name]

    @staticmethod
    def _hint(name: str, plan: Plan) -> str:
        template = next((declared for declared in plan.channels if declared == name), None)
        if template is not None:
            return f"{name!r} is a template; fill its placeholders, as in {name.replace('{', '').replace('}', '')!r}"
        close = difflib.get_close_matches(name, plan.channels, n=1)
        return f"did you mean {close[0]!r}?" if close else "`wscli status` lists the channels"
