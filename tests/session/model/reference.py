"""A session, slow and obvious: each message is taken all the way before the next one, everything is looked for.

It knows the grammar of docs/sessions.md and nothing of how the real one runs it. No timers, limits or replies.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from tests.session.model.flow import Flow
from tests.session.model.walk import Party, Walk
from wscli.session.frames import Unit
from wscli.session.plan import SessionPlan
from wscli.templates.paths import ABSENT

__all__ = ["Recollection", "Reference"]


class Recollection:
    """What an upstream remembers from one connection to the next."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.orders: dict[str | None, int] = {}
        self.subscribed: dict[str, Party] | None = None
        """The channels that were ready; None: not known."""
        self.lost: set[str | None] = set()
        """Channels that held messages as the connection ended; None: any."""

    def copy(self) -> Recollection:
        """Give what a new connection begins with."""
        copied = Recollection()
        copied.orders, copied.subscribed, copied.lost = dict(self.orders), copy(self.subscribed), set(self.lost)
        return copied


class Reference(Flow):
    """One connection."""

    def __init__(self, plan: SessionPlan, memory: Recollection, *, shared: bool, refs: Any) -> None:
        super().__init__(plan, Party(None, memory.kept, {}), shared=shared)
        self.memory, self.refs = memory, refs
        self.before = memory.copy()
        self.gone: set[str] = set()
        """The channels that were on this connection and are not any more."""
        self.delivered: list[Any] = []
        self.sent: list[Unit] = []
        self.resuming = False

    # the upstream

    def begin(self) -> None:
        self.walk(self.plan.before, "before", self.upstream, lambda: self.events.append(("dial",)))

    def dial(self) -> None:
        resume = self.plan.resume
        self.resuming = resume is not None and all(name in self.memory.kept for name in resume.needs)
        if resume is not None and resume.once:
            self.memory.kept.clear()

    def opened(self) -> None:
        if self.resuming and self.plan.resume is not None:
            self.orders.update(self.before.orders)
            self.walk(self.plan.resume.hello, "resume", self.upstream, lambda: self.ready(resumed=True))
        else:
            self.walk(self.plan.hello, "hello", self.upstream, lambda: self.ready(resumed=False))

    def ready(self, *, resumed: bool) -> None:
        self.open = True
        self.upstream.resumed |= resumed
        self.events.append(("open", self.upstream.resumed))
        memory = self.memory
        memory.orders, memory.subscribed, memory.lost = self.orders, {}, set()
        for one in self.pool:
            if one[0] == "gap":
                self.gap_of(*one[1:])
            else:
                self.route(*one[1:])
        self.pool.clear()
        kept = resumed and self.plan.resume is not None and self.plan.resume.subscribe_kept
        for party in list(self.channels.values()):
            self.subscribe(party, kept=kept)

    def end(self) -> None:
        """Lose the connection."""
        if self.open:
            self.memory.lost = {name for name, party in self.channels.items() if party.held_messages()}

    # channels

    def join(self, channel: Any) -> None:
        party = self.channels[channel.name] = Party(channel, channel.kept, self.upstream.variables)
        if self.open:
            self.subscribe(party, kept=False)

    def subscribe(self, party: Party, *, kept: bool) -> None:
        earlier = (self.before.subscribed or {}).get(party.name)
        if kept and earlier is not None:
            party.variables.update(earlier.variables)
            party.asked = earlier.asked
            party.resumed = True
            self.subscribed(party)
            return
        party.phase = "subscribing"
        party.walk = self.walk(self.plan.subscribe, "subscribe", party, lambda: self.subscribed(party))

    def subscribed(self, party: Party) -> None:
        name, before = party.name, self.before
        party.phase, party.walk = "ready", None
        if party.resumed and name in before.orders:
            self.orders.setdefault(name, before.orders[name])
        was_there = name not in self.gone and (before.subscribed is None or name in before.subscribed)
        resumed = (party.resumed or (self.upstream.resumed and was_there)) and not before.lost & {None, name}
        self.memory.subscribed = {**(self.memory.subscribed or {}), name: party}
        self.events.append(("ready", name, resumed))
        self.events += party.held
        party.held = []

    def leave(self, name: str) -> None:
        party = self.channels[name]
        asked = party.phase == "ready" or bool(party.asked)
        self.stop(party)
        party.phase, party.held = "leaving", []
        same = [one for one in self.channels.values() if one is not party and one.phase in ("subscribing", "ready")]
        if asked and not any(one.asked == party.asked for one in same):
            party.walk = self.walk(self.plan.unsubscribe, "unsubscribe", party, lambda: self.left(party))
        else:
            self.left(party)

    def left(self, party: Party) -> None:
        self.forget(party)
        self.events.append(("left", party.name))

    def forget(self, party: Party) -> None:
        self.channels.pop(party.name, None)
        self.stop(party)

    def stop(self, party: Party) -> None:
        self.gone.add(party.name)
        self.orders.pop(party.name, None)
        (self.memory.subscribed or {}).pop(party.name, None)
        walks = [walk for (_, whose), walk in self.running.items() if whose is party]
        for walk in [*walks, *filter(None, [party.walk])]:
            walk.cancel()

    # the end of a turn

    def walk(self, steps: Any, moment: str, party: Party, ended: Any) -> Walk:
        walk = party.walk = Walk(self, steps, moment, party, ended, ABSENT)
        walk.go(None)
        return walk

    def finish(self) -> None:
        """Give the verdicts, then let out what is to be sent; that may lead to more of both."""
        while self.outbox or self.judged:
            judged, self.judged = self.judged, []
            for party, verdict, moment in judged:
                self.events.append(("judged", party.name, verdict, moment))
                if party.name:
                    self.forget(party)
            if self.outbox:
                one = self.outbox.pop(0)
                unit = one if isinstance(one, Unit) else one.let_out(self.refs)
                self.sent += [] if unit is None else [unit]
