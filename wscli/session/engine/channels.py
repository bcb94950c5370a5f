"""Channels on one connection: subscribed at the server's pace, unsubscribed, judged."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any, Protocol

from wscli.session.actions import ChannelSession, StepWaits, SubscriptionReady, Unsubscribed
from wscli.session.engine.core import Core
from wscli.session.engine.delivery import Delivery
from wscli.session.engine.memory import Subscribed
from wscli.session.engine.outgoing import Outbound, RateWindow, masked
from wscli.session.engine.parts import ChannelPart, Phase
from wscli.session.engine.steps.requests import StepFailed
from wscli.session.engine.steps.run import Run, Steps
from wscli.session.plan import SendAction
from wscli.templates import TemplateError

__all__ = ["Channels"]


class _Takes(Protocol):
    """A part of the session that takes care of channels."""

    def place(self, part: ChannelPart) -> None:
        """Take a channel in."""

    def remove(self, part: ChannelPart) -> None:
        """Leave it out from now on."""


class _Pipeline(_Takes, Protocol):
    def open(self) -> None:
        """Give the channels what was held for them."""


class _Timers(_Takes, Protocol):
    def ready(self, part: ChannelPart) -> None:
        """Begin its timers."""


class Channels:
    """The channels of one connection."""

    def __init__(
        self,
        core: Core,
        steps: Steps,
        outbound: Outbound,
        delivery: Delivery,
        rules: _Takes,
        pipeline: _Pipeline,
        timers: _Timers,
    ) -> None:
        self._core, self._steps, self._outbound, self._delivery = core, steps, outbound, delivery
        self._pipeline, self._rules, self._timers = pipeline, rules, timers
        self._takes: tuple[_Takes, ...] = (pipeline, rules, timers)
        self._pace = RateWindow(core.plan.limits.subscribe)
        self._queue: list[tuple[bool, int, ChannelPart]] = []
        self._timer = 0
        self._runs: dict[ChannelPart, Run] = {}
        self._kept: dict[str, Subscribed] = {}
        """The subscriptions of the lost connection that the server kept, by channel."""
        self._left: set[str] = set()
        """The channels that left this connection: what it resumed does not count for them any more."""

    # subscribing

    def join(self, channel: ChannelSession) -> None:
        """Take a channel in, and subscribe it in its turn."""
        core = self._core
        before = core.channels.get(channel.name)
        if before is not None:
            if before.phase is not Phase.LEAVING:
                return
            self._forget(before)
        scope = {space: core.upstream.scope[space] for space in ("var", "now")}
        part = core.channels[channel.name] = ChannelPart(channel, scope, core.changes)
        for one in self._takes:
            one.place(part)
        heapq.heappush(self._queue, (not channel.critical, next(core.numbers), part))
        self._pump()
        self._tell_queued(part)

    def open(self, *, kept: bool) -> None:
        """Subscribe those that joined before ``hello`` was over; ``kept``: the server kept the subscriptions."""
        if kept:
            self._kept = dict(self._core.before.subscribed or {})
        self._pipeline.open()
        self._pump()
        for part in self._core.channels.values():
            self._tell_queued(part)

    def _pump(self) -> None:
        """Subscribe the next ones, as far as their pace allows."""
        core = self._core
        while core.ready and self._queue:
            _, _, part = self._queue[0]
            if part.phase is not Phase.QUEUED or core.channels.get(part.of.name) is not part:
                heapq.heappop(self._queue)
                continue
            kept = part.of.name in self._kept
            needs = bool(core.plan.subscribe) and not kept
            now = core.clock.monotonic()
            if needs and (wait := self._pace.wait(now)) > 0:
                if not self._timer:
                    self._timer = core.after(wait, self._turn)
                return
            heapq.heappop(self._queue)
            if needs:
                self._pace.count(now)
            self._subscribe(part, kept=kept)

    def _tell_queued(self, part: ChannelPart) -> None:
        if self._core.ready and part.phase is Phase.QUEUED:
            self._core.actions.append(StepWaits(part.of, "subscribe: waiting for its turn (limits.subscribe)"))

    def _turn(self) -> None:
        self._timer = 0
        self._pump()

    def _subscribe(self, part: ChannelPart, *, kept: bool) -> None:
        if kept:
            before = self._kept[part.of.name]
            if self._core.before.subscribed is not None:  # it is not unsubscribed there, where that connection is open
                self._core.before.subscribed.pop(part.of.name, None)
            part.rendered = before.rendered
            for name, value in before.variables.items():
                part.assign(name, value)
            part.resumed = True
            self._ready(part)
            return
        part.phase = Phase.SUBSCRIBING
        plan = self._core.plan

        def sent(action: SendAction, scope: Mapping[str, Any], ref: Any) -> None:
            if ref is not None and "ref" not in part.variables:
                part.assign("ref", ref)
            try:
                part.rendered.append(self._outbound.rendered(action, masked(scope)))
            except TemplateError:
                part.rendered.append(ref)

        def failed(error: StepFailed) -> None:
            self._core.judge(part, error.verdict, error.failure)

        run = self._steps.run(plan.subscribe, "subscribe", part, lambda: self._ready(part), failed, sent=sent)
        if not run.over:
            self._runs[part] = run

    def _ready(self, part: ChannelPart) -> None:
        core = self._core
        self._runs.pop(part, None)
        part.phase = Phase.READY
        core.actions.append(SubscriptionReady(part.of, self._resumed(part)))
        if core.now.subscribed is not None:
            core.now.subscribed[part.of.name] = Subscribed(part.variables, part.rendered)
        self._delivery.admit(part)
        self._timers.ready(part)

    def _resumed(self, part: ChannelPart) -> bool:
        """Whether the server sends what the channel missed, so that there is no gap."""
        now, before, name = self._core.now, self._core.before, part.of.name
        if part.resumed and name in before.orders:
            now.orders.setdefault(name, before.orders[name])
        with_upstream = self._core.upstream.resumed and name not in self._left
        known = before.subscribed is None or name in before.subscribed
        return (part.resumed or (with_upstream and known)) and before.undelivered.isdisjoint((None, name))

    # unsubscribing

    def leave(self, channel: ChannelSession) -> None:
        """Give a channel nothing more, and unsubscribe it."""
        core = self._core
        part = core.channels.get(channel.name)
        if part is None or part.phase is Phase.LEAVING:
            if part is None:
                core.actions.append(Unsubscribed(channel))
            return
        ready = core.now.subscribed is not None and channel.name in core.now.subscribed
        subscribed = ready if part.phase is Phase.READY else bool(part.rendered)
        self._stop(part)
        part.phase = Phase.LEAVING
        part.held.clear()
        self._rules.remove(part)
        self._timers.remove(part)

        def over(_: object = None) -> None:
            self._runs.pop(part, None)
            if core.channels.get(channel.name) is part:
                self._forget(part)
                core.actions.append(Unsubscribed(channel))

        if subscribed and core.plan.unsubscribe and not self._rendered_again(part):
            run = self._steps.run(core.plan.unsubscribe, "unsubscribe", part, over, over)
            if not run.over:
                self._runs[part] = run
        else:
            over()

    def _rendered_again(self, part: ChannelPart) -> bool:
        """Whether another channel sent the same subscribe, so that its messages would end as well."""
        return any(
            one is not part and one.phase in (Phase.SUBSCRIBING, Phase.READY) and one.rendered == part.rendered
            for one in self._core.channels.values()
        )

    def judged(self, part: ChannelPart) -> None:
        """Forget the subscription of a channel that a verdict was given on."""
        self._stop(part)
        self._forget(part)

    def _stop(self, part: ChannelPart) -> None:
        run = self._runs.pop(part, None)
        if run is not None:
            run.stop()
        name, now = part.of.name, self._core.now
        now.undelivered.discard(name)
        now.orders.pop(name, None)
        if now.subscribed is not None:
            now.subscribed.pop(name, None)
        self._kept.pop(name, None)
        self._left.add(name)

    def _forget(self, part: ChannelPart) -> None:
        self._stop(part)
        for one in self._takes:
            one.remove(part)
        if self._core.channels.get(part.of.name) is part:
            del self._core.channels[part.of.name]
