"""The registry of an instance's channels, by name."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from shlex import quote
from typing import get_args

from wscli.config.plan import ChannelPlan, Plan
from wscli.control.messages import Reload, Stats, Status
from wscli.control.protocol import manager_stopped
from wscli.control.requests import LogLevel
from wscli.daemon.channel.channel import Channel
from wscli.daemon.channel.counters import Totals
from wscli.daemon.channel.histories import Histories
from wscli.daemon.registry.by_hand import done_by_hand
from wscli.daemon.registry.observer import Observer
from wscli.daemon.registry.template_channels import TemplateChannels
from wscli.daemon.upstream.dial.budget import ConnectBudget
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.session.trial import try_dial
from wscli.daemon.upstream.sharing.upstreams import Upstreams
from wscli.errors import UnknownChannel
from wscli.history.limits import HistoryLimits
from wscli.history.memory import History
from wscli.problems import Problems
from wscli.tokens.models import changed_sources

__all__ = ["Manager"]

logger = logging.getLogger("wscli.manager")

_FEED = HistoryLimits(keep=1_000, max_size=1 << 20)
"""Limits of the feeds of changes and log records; a watcher that lags by more gets a gap."""


class Manager:
    """The channels of one instance and what they share."""

    def __init__(
        self,
        plan: Plan,
        services: Services,
        budgets: dict[str, ConnectBudget],
        upstreams: Upstreams,
        histories: Histories,
    ) -> None:
        """``budgets`` are those of the dialer, by endpoint; the manager keeps them as its plan says."""
        self.plan = plan
        self.clock = services.clock
        self.started = self.clock.monotonic()
        self.started_at = self.clock.wall()
        """Wall-clock time of the start."""
        self.changes = History(_FEED, clock=self.clock)
        """An object of ``status --json`` for each change of a channel."""
        self.logs: dict[LogLevel, History] = {level: History(_FEED, clock=self.clock) for level in get_args(LogLevel)}
        """The manager's log by level, as JSON records: the records of that level and above."""
        self.log_level: LogLevel = "info"
        """The lowest level that is written to stderr."""
        self.stopping = asyncio.Event()
        """Set to end the process."""
        self.problems = Problems()
        """Problems of the instance; each channel has its own."""
        self.totals = Totals()
        """Counters by declared name, over all channels that the name ever had."""
        self.tasks = services.tasks
        self.broker = services.broker
        self._services = services
        self._budgets = budgets
        self._upstreams = upstreams
        self._histories = histories
        self._observers: list[Observer] = []
        self._reloading = asyncio.Lock()
        self._channels: dict[str, Channel] = {}
        self._templates = TemplateChannels(self._channels, schedule=services.schedule, drop=self._drop)
        self._closed = False
        self._set_limits()
        for name, channel in plan.channels.items():
            if not channel.params:
                self._make(name, channel, {})

    def observe(self, observer: Observer) -> None:
        """Tell an observer of everything from now on, after the earlier observers."""
        self._observers.append(observer)

    # the registry

    def channels(self) -> list[Channel]:
        """Give every declared channel and every channel made from a template, in the order in which they were made."""
        return list(self._channels.values())

    def channel(self, name: str) -> Channel:
        """Give the channel of a name, made now where the name fits a template.

        Raises:
            UnknownChannel: the name is not declared and fits no template, or too many channels of templates exist.
            NoInstance: the manager is closed.
        """
        channel = self._channels.get(name)
        if channel is None:
            self._require_open()
            plan, params = self._templates.match(name, self.plan)
            self._templates.make_room(name)
            channel = self._make(name, plan, params)
            self._templates.changed(channel)
            for observer in self._observers:
                observer.channel_made(channel)
        return channel

    def select(self, names: Sequence[str]) -> list[Channel]:
        """Give the named channels, or all of them, without making any.

        Raises:
            UnknownChannel: a name is not declared, or its channel was not made from the template yet.
        """
        if not names:
            return self.channels()
        for name in names:
            if name not in self._channels:
                self._templates.match(name, self.plan)
                raise UnknownChannel(
                    f"channel {name!r} is not open",
                    f"`wscli tail {quote(name)}` or `wscli start {quote(name)}` opens it",
                )
        return [self._channels[name] for name in dict.fromkeys(names)]

    def _make(self, name: str, plan: ChannelPlan, params: dict[str, str]) -> Channel:
        channel = self._channels[name] = Channel(
            name,
            plan,
            params,
            self._services,
            self._upstreams,
            self._histories,
            announce_after=self.plan.announce_after,
            totals=self.totals,
            on_change=self._changed,
        )
        return channel

    def _drop(self, channel: Channel) -> None:
        name = channel.name
        del self._channels[name]
        self._templates.keep(name)
        channel.remove()
        channel.history.end()  # now: another of this name may go on with its file

    def _require_open(self) -> None:
        if self._closed:
            raise manager_stopped()

    def _changed(self, channel: Channel) -> None:
        self.changes.append([json.dumps(channel.status(), separators=(",", ":")).encode()], None)
        self._templates.changed(channel)
        for observer in self._observers:
            observer.channel_changed(channel)

    # its life

    def open(self) -> None:
        """Open every eager channel and start the keep-alive wheel."""
        self._services.wheel.start()
        for channel in self.channels():
            channel.open()

    async def close(self) -> None:
        """Close all channels in parallel, with at most a second for close frames, and end every task."""
        self._closed = True
        channels = self.channels()
        self._templates.close()
        for channel in channels:
            channel.shut()
        await self._upstreams.closed()
        await asyncio.gather(*(channel.history.close() for channel in channels))
        self._histories.close()
        await self._services.wheel.close()
        await self.tasks.close()
        await self.broker.close()

    def addresses(self) -> set[str]:
        """Give the IP addresses that the channels dial."""
        return self._upstreams.addresses()

    def network_changed(self) -> None:
        """Have every upstream check the route to its server and ping its open connection."""
        self.broker.network_changed()
        self._upstreams.network_changed()

    def woke(self, seconds: float) -> None:
        """Probe every connection after the machine slept."""
        logger.info("the machine slept for %.0f s; every connection is probed", seconds, extra={"event": "woke"})
        self.network_changed()

    # reload

    @asynccontextmanager
    async def reloading(self) -> AsyncIterator[None]:
        """Hold off other reloads while the context is open: one that read the file earlier must be applied earlier."""
        async with self._reloading:
            with ExitStack() as observed:
                for observer in self._observers:
                    observed.enter_context(observer.reloading())
                yield

    def apply(self, plan: Plan) -> Reload:
        """Take another plan without disturbing the channels that it does not change; give what it did to each.

        Raises:
            NoInstance: the manager is closed.
            WscliError: a history on disk cannot be opened; nothing was changed.
        """
        self._require_open()
        on_disk = {name for name, channel in self._channels.items() if channel.plan.history.store == "disk"}
        for name in dict.fromkeys([*self._channels, *plan.channels]):
            found = None if name in on_disk else self._templates.find_dialable(name, plan)
            if found is not None and found[0].history.store == "disk":
                self._histories.check(name)
        report = Reload(kept=[], updated=[], rotated=[], restarted=[], added=[], removed=[])
        tokens = changed_sources(self.plan.tokens, plan.tokens)
        self.plan = plan
        self.broker.replace(plan.tokens, plan.backoff)
        self._set_limits()
        for name, channel in list(self._channels.items()):
            self._apply_to(name, channel, plan, tokens, report)
        for name, declared in plan.channels.items():
            if not declared.params and name not in self._channels:
                self._make(name, declared, {}).open()
                report["added"].append(name)
        for observer in self._observers:
            observer.reloaded()
        return report

    def _apply_to(
        self, name: str, channel: Channel, plan: Plan, changed_tokens: frozenset[str], report: Reload
    ) -> None:
        found = self._templates.find_dialable(name, plan)
        if found is None:
            self._drop(channel)
            report["removed"].append(name)
            return
        declared, params = found
        same = declared == channel.plan and plan.announce_after == channel.announcer.after
        tokens_changed = not changed_tokens.isdisjoint(declared.upstream.token_names)
        if declared.history.store != channel.plan.history.store:  # the readers' positions are in the old history
            repeat = done_by_hand(channel)
            self._drop(channel)
            repeat(self._make(name, declared, params))
            report["restarted"].append(name)
        elif same and not tokens_changed:
            report["kept"].append(name)
        else:
            applied = channel.update(
                declared, params, announce_after=plan.announce_after, tokens_changed=tokens_changed
            )
            report["kept" if same and applied == "updated" else applied].append(name)
        self._templates.changed(self._channels[name])

    def _set_limits(self) -> None:
        self._upstreams.own.most = self.plan.max_clients
        for name, rate in self.plan.endpoints.items():
            if name in self._budgets:
                self._budgets[name].rate = rate
            else:
                self._budgets[name] = ConnectBudget(rate, self.clock, schedule=self._services.schedule)

    # what it reports

    def status(self, names: Sequence[str] = ()) -> list[Status]:
        """Give the objects of ``status --json``."""
        return [channel.status() for channel in self.select(names)]

    def stats(self, names: Sequence[str] = ()) -> Stats:
        """Give the object of ``stats --json``."""
        stats: Stats = {
            "schema": 1,
            "instance": self.plan.name,
            "pid": os.getpid(),
            "uptime_s": round(self.clock.monotonic() - self.started, 3),
            "connections": self._upstreams.stats(),
            "channels": {channel.name: channel.stats() for channel in self.select(names)},
            "tokens": self.broker.stats(),
            "problems": self.problems.texts(),
        }
        for observer in self._observers:
            stats.update(observer.stats())  # type: ignore[typeddict-item]  # keys that ``Stats`` need not have
        return stats

    async def dial_once(self, channel: Channel) -> AttemptRecord:
        """Open a second connection for ``doctor --dial``, close it at once, and give its record."""
        subscription = channel.subscription
        return await try_dial(self._services, subscription.upstream.request(by_hand=True), subscription.member)
