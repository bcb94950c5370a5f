"""Channels made from templates: on demand, bounded in number, and dropped some time after they closed."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from functools import cache, partial

from wscli.config.plan import ChannelPlan, Plan
from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.errors import UnknownChannel
from wscli.templates import compile_name
from wscli.timing import Schedule, Timer

__all__ = ["TemplateChannels"]

MAX_TEMPLATE_CHANNELS = 1_000
FORGET_AFTER = 600.0
"""Seconds that a closed, unused channel keeps its history."""

_FORGETTABLE = frozenset({ChannelState.IDLE, ChannelState.FAILED, ChannelState.DONE})


class TemplateChannels:
    """Matches names with templates, and drops channels that are closed and unused."""

    def __init__(self, channels: Mapping[str, Channel], *, schedule: Schedule, drop: Callable[[Channel], None]) -> None:
        """``drop`` removes a channel from the registry and closes it."""
        self._channels = channels
        self._schedule = schedule
        self._drop = drop
        self._timers: dict[str, Timer] = {}
        """Timers of the closed channels, by name, in the order in which they closed."""
        self._compiled = cache(compile_name)

    def find(self, name: str, plan: Plan) -> tuple[ChannelPlan, dict[str, str]] | None:
        """Give the plan declared for a name, and its parameters; a literal channel beats a template."""
        literal = plan.channels.get(name)
        if literal is not None:
            return None if literal.params else (literal, {})
        for declared in plan.channels.values():
            if declared.params and (params := self._compiled(declared.name).match(name)) is not None:
                return declared, params
        return None

    def find_dialable(self, name: str, plan: Plan) -> tuple[ChannelPlan, dict[str, str]] | None:
        """Give what ``find`` gives, unless a parameter does not fit the declared dial."""
        found = self.find(name, plan)
        if found is not None:
            try:
                found[0].upstream.key(found[1], found[0].fill_values(found[1]))
            except ValueError:
                return None
        return found

    def match(self, name: str, plan: Plan) -> tuple[ChannelPlan, dict[str, str]]:
        """Give the plan declared for a name, and its parameters.

        Raises:
            UnknownChannel: the plan declares none.
        """
        found = self.find(name, plan)
        if found is None:
            raise UnknownChannel(f"no channel {name!r} in instance {plan.name!r}", _hint(name, plan))
        return found

    def make_room(self, name: str) -> None:
        """Make room for one more channel: at the limit, drop the unused one that closed first.

        Raises:
            UnknownChannel: every channel is open or in use.
        """
        if sum(bool(channel.plan.params) for channel in self._channels.values()) < MAX_TEMPLATE_CHANNELS:
            return
        closed = (self._channels[one] for one in self._timers)
        unused = next((channel for channel in closed if not channel.in_use), None)
        if unused is None:
            raise UnknownChannel(
                f"channel {name!r} would be one more than {MAX_TEMPLATE_CHANNELS} channels of templates in use or held",
                "end some of the commands that use them; `wscli status` lists them",
            )
        self._drop(unused)

    def changed(self, channel: Channel) -> None:
        """Follow a channel's state: once closed, a channel of a template is dropped after a while."""
        if self._channels.get(channel.name) is not channel:
            return
        self.keep(channel.name)
        if channel.plan.params and channel.state in _FORGETTABLE:
            self._timers[channel.name] = self._schedule(FORGET_AFTER, partial(self._forget, channel))

    def keep(self, name: str) -> None:
        """Cancel the timer that drops the closed channel of this name."""
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()

    def close(self) -> None:
        """Cancel every timer."""
        for name in list(self._timers):
            self.keep(name)

    def _forget(self, channel: Channel) -> None:
        if channel.in_use or "retry" in (channel.snapshot.next.action, channel.subscription.snapshot.next.action):
            self.changed(channel)  # it is tried again later; one made again would not know when
        else:
            self._drop(channel)


def _hint(name: str, plan: Plan) -> str:
    if name in plan.channels:
        return f"{name!r} is a template; fill its placeholders, as in {name.replace('{', '').replace('}', '')!r}"
    if "://" in name:
        return "`wscli connect URL` opens a URL; a channel is a name that the file declares"
    close = difflib.get_close_matches(name, plan.channels, n=1)
    return f"did you mean {close[0]!r}?" if close else "`wscli status` lists the channels"
