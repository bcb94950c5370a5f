"""The registry: names to channels. There is one channel of a name, and a channel has one connection."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from wscli.clock import Clock
from wscli.config.plan import ChannelPlan, Plan
from wscli.control.protocol import manager_stopped
from wscli.control.reports import Stats, Status
from wscli.daemon.channel.channel import Channel
from wscli.daemon.channel.counters import Totals
from wscli.daemon.channel.histories import Histories
from wscli.daemon.registry.template_channels import Instances
from wscli.daemon.upstream.dial.budget import ConnectBudget
from wscli.daemon.upstream.dial.dialer import AttemptRecord, Dialer, OpenLink
from wscli.daemon.upstream.dial.trial import dial_once
from wscli.daemon.upstream.keepalive import KeepaliveWheel
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.session import NoSession, UpstreamSession
from wscli.daemon.upstream.upstreams import Upstreams
from wscli.errors import UnknownChannel
from wscli.history.limits import HistoryLimits
from wscli.history.memory import History
from wscli.net.http import HttpClient
from wscli.problems import Problems
from wscli.tasks import Tasks
from wscli.timing import Schedule, call_later
from wscli.tokens.broker import Broker
from wscli.tokens.models import changed_sources

__all__ = ["Manager", "ReloadReport"]

logger = logging.getLogger("wscli.manager")

_FEED = HistoryLimits(keep=1_000, max_size=1 << 20)
"""Of changes and log records: what a slow watcher may lag by before it is told that it missed some."""


class ReloadReport(NamedTuple):
    """What a new plan did to each channel, by name."""

    kept: list[str]
    updated: list[str]
    rotated: list[str]
    restarted: list[str]
    added: list[str]
    removed: list[str]


class Manager:
    """All channels of one instance, and what they share."""

    def __init__(
        self,
        plan: Plan,
        *,
        clock: Clock,
        chance: random.Random,
        open_link: OpenLink,
        reachable: Callable[[str], bool],
        schedule: Schedule = call_later,
        environ: Mapping[str, str] = os.environ,
        http: HttpClient | None = None,
        make_session: Callable[[], UpstreamSession] = NoSession,
    ) -> None:
        self.plan = plan
        self.clock = clock
        self.started = clock.monotonic()
        self.started_at = clock.wall()
        """The start on the wall clock, as it was then."""
        self.changes = History(_FEED, clock=clock)
        """Every change of a state, as the JSON of ``status --json``."""
        self.log = History(_FEED, clock=clock)
        """The manager's own log, as JSON records."""
        self.stopping = asyncio.Event()
        """Set by whoever wants the manager to go."""
        self.reloading = asyncio.Lock()
        """Held while a changed file is read and applied."""
        self.around_reload: Callable[[], AbstractContextManager[None]] = nullcontext
        """Entered for each reload, by whoever tells others of it."""
        self.problems = Problems()
        """What is wrong beside the channels' states; a channel has its own."""
        self.totals = Totals()
        """What was counted by declared name, whichever channels of it are left."""
        self.extra_stats: dict[str, Callable[[], Any]] = {}
        """What others add to ``stats``, by key."""
        self.after_apply: list[Callable[[], None]] = []
        """Called after each reload."""
        self.watchers: list[Callable[[Channel], None]] = []
        """Called with a channel after each change of what ``status`` says of it, its removal included."""
        self.newcomers: list[Callable[[Channel], None]] = []
        """Called with each instance of a template that is made, before anything has happened to it."""
        self.outbox: Any = None
        """Set by whoever delivers it."""
        self.tasks = Tasks()
        http = http or HttpClient(base=plan.file.parent, clock=clock, environ=environ)
        self.broker = Broker(plan.tokens, base=plan.file.parent, clock=clock, http=http)
        self._budgets: dict[str, ConnectBudget] = {}
        self._wheel = KeepaliveWheel(clock=clock, chance=chance, on_wake=self._woke, schedule=schedule)
        self._dialer = Dialer(self.broker, self._budgets, open_link, clock)
        self._services = Services(
            dialer=self._dialer,
            broker=self.broker,
            http=http,
            wheel=self._wheel,
            tasks=self.tasks,
            clock=clock,
            chance=chance,
            reachable=reachable,
            schedule=schedule,
        )
        self._upstreams = Upstreams(self._services, make_session)
        self._histories = Histories(plan.name, environ, clock)
        self._channels: dict[str, Channel] = {}
        self._instances = Instances(self._channels, schedule=schedule, drop=self._drop)
        self._closed = False
        self._set_budgets()
        for name, channel in plan.channels.items():
            if not channel.params:
                self._channels[name] = self._make(name, channel, {})

    # the registry

    def channels(self) -> list[Channel]:
        """Every declared channel and every live instance of a template, in the order in which they came."""
        return list(self._channels.values())

    def channel(self, name: str) -> Channel:
        """Give the one channel of a name; an instance of a template is made on demand.

        Raises:
            UnknownChannel: neither a channel nor a template of that name is declared, or too many instances live.
            NoInstance: the manager is closed, and makes no more.

        """
        channel = self._channels.get(name)
        if channel is None:
            self._require_open()
            plan, params = self._instances.match(name, self.plan)
            self._instances.make_room(name)
            channel = self._channels[name] = self._make(name, plan, params)
            self._instances.changed(channel)
            for welcome in self.newcomers:
                welcome(channel)
        return channel

    def select(self, names: Sequence[str]) -> list[Channel]:
        """Give the named channels, or all of them; an instance that nobody opened yet is unknown here.

        Raises:
            UnknownChannel: one of the names is none.

        """
        if not names:
            return self.channels()
        for name in names:
            if name not in self._channels:
                self._instances.match(name, self.plan)
                raise UnknownChannel(
                    f"channel {name!r} is not open", f"`wscli tail {name}` or `wscli start {name}` opens it"
                )
        return [self._channels[name] for name in dict.fromkeys(names)]

    def noncritical(self) -> list[Channel]:
        """Give the channels that may be paused."""
        return [channel for channel in self.channels() if not channel.plan.critical]

    def _make(self, name: str, plan: ChannelPlan, params: dict[str, str]) -> Channel:
        return Channel(
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

    def _drop(self, channel: Channel) -> None:
        name = channel.name
        del self._channels[name]
        self._instances.forgotten(name)
        channel.remove()
        channel.history.end()  # now: another of this name may go on with its file

    def _require_open(self) -> None:
        if self._closed:
            raise manager_stopped()

    def _changed(self, channel: Channel) -> None:
        self.changes.append([json.dumps(channel.status(), separators=(",", ":")).encode()], None)
        self._instances.changed(channel)
        for watch in self.watchers:
            watch(channel)

    # its life

    def open(self) -> None:
        """Open every eager channel, and begin to look for sleep."""
        self._wheel.start()
        for channel in self.channels():
            channel.open()

    async def close(self) -> None:
        """Close all channels in parallel, a second for close frames at most, and end every task."""
        self._closed = True
        channels = self.channels()
        self._instances.close()
        for channel in channels:
            channel.shut()
        await self._upstreams.closed()
        await asyncio.gather(*(channel.history.close() for channel in channels))
        await self._wheel.close()
        await self.tasks.close()
        await self.broker.close()

    def addresses(self) -> set[str]:
        """Give the IP addresses that the channels dial."""
        return self._upstreams.addresses()

    def network_changed(self) -> None:
        """Have every upstream look whether a route leads to its server, and ping if it is open."""
        self._upstreams.network_changed()

    def _woke(self, seconds: float) -> None:
        logger.info("the machine slept for %.0f s; every connection is probed", seconds, extra={"event": "woke"})
        self.network_changed()

    # reload

    def apply(self, plan: Plan) -> ReloadReport:
        """Take another plan: a channel that it does not change is not disturbed.

        Raises:
            NoInstance: the manager is closed.
            WscliError: a history on disk cannot be opened; nothing is changed then.

        """
        self._require_open()
        for name, declared in plan.channels.items():
            if declared.history.store == "disk" and not declared.params and not self._is_on_disk(name):
                self._histories.check(name)
        report = ReloadReport([], [], [], [], [], [])
        tokens = changed_sources(self.plan.tokens, plan.tokens)
        self.plan = plan
        self.broker.replace(plan.tokens)
        self._set_budgets()
        for name, channel in list(self._channels.items()):
            self._apply_to(name, channel, plan, tokens, report)
        for name, declared in plan.channels.items():
            if not declared.params and name not in self._channels:
                self._channels[name] = self._make(name, declared, {})
                self._channels[name].open()
                report.added.append(name)
        for follow in self.after_apply:
            follow()
        return report

    def _apply_to(
        self, name: str, channel: Channel, plan: Plan, changed_tokens: frozenset[str], report: ReloadReport
    ) -> None:
        found = self._instances.find(name, plan)
        if found is None:
            self._drop(channel)
            report.removed.append(name)
            return
        declared, params = found
        same = declared == channel.plan and plan.announce_after == channel.announcer.after
        tokens_changed = not changed_tokens.isdisjoint(declared.upstream.dial.token_names)
        if declared.history.store != channel.plan.history.store:  # its readers stand in what is given up
            self._drop(channel)
            self._channels[name] = self._make(name, declared, params)
            self._channels[name].open()
            report.restarted.append(name)
        elif same and not tokens_changed:
            report.kept.append(name)
        else:
            applied = channel.update(
                declared, params, announce_after=plan.announce_after, tokens_changed=tokens_changed
            )
            getattr(report, "kept" if same and applied == "updated" else applied).append(name)
        self._instances.changed(self._channels[name])

    def _is_on_disk(self, name: str) -> bool:
        return name in self._channels and self._channels[name].plan.history.store == "disk"

    def _set_budgets(self) -> None:
        for name, endpoint in self.plan.endpoints.items():
            if name in self._budgets:
                self._budgets[name].rate = endpoint.connect_rate
            else:
                self._budgets[name] = ConnectBudget(endpoint.connect_rate, self.clock, schedule=self._services.schedule)

    # what it reports

    def status(self, names: Sequence[str] = ()) -> list[Status]:
        """The objects of ``status --json``."""
        return [channel.status() for channel in self.select(names)]

    def stats(self, names: Sequence[str] = ()) -> Stats:
        """The object of ``stats --json``."""
        channels = self.select(names)
        stats: Stats = {
            "schema": 1,
            "instance": self.plan.name,
            "pid": os.getpid(),
            "uptime_s": round(self.clock.monotonic() - self.started, 3),
            "connections": {
                "active": sum(upstream.attempts.holds_a_link for upstream in self._upstreams),
                "total": len(self._upstreams),
                "successors": sum(upstream.successor is not None for upstream in self._upstreams),
            },
            "channels": {channel.name: channel.stats() for channel in channels},
            "tokens": self.broker.stats(),
            "problems": self.problems.texts(),
        }
        for key, extra in self.extra_stats.items():
            stats[key] = extra()  # type: ignore[literal-required]  # the keys that ``Stats`` need not have
        return stats

    async def dial_once(self, channel: Channel) -> AttemptRecord:
        """Open a second connection for ``doctor --dial``, close it at once, and give the record of it."""
        return await dial_once(self._dialer, channel.subscription.upstream.request(), self.clock)
