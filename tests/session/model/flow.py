"""The way of a message in the reference: everything is looked for, and nothing is indexed."""

from __future__ import annotations

import json
from typing import Any

from tests.session.model.walk import Failed, Party, Walk, capture
from wscli.core.failures import Verdict
from wscli.session.frames import FrameDecoder, encode_message, shown_unit, unit_parser
from wscli.session.plan import Route, Rule, SessionPlan
from wscli.templates import TemplateError
from wscli.templates.paths import ABSENT, JsonPath

__all__ = ["Flow"]


class Flow:
    """One connection's messages."""

    def __init__(self, plan: SessionPlan, upstream: Party, *, shared: bool) -> None:
        self.plan, self.upstream, self.shared = plan, upstream, shared
        self.channels: dict[str, Party] = {}
        self.waits: list[Any] = []
        """Steps that wait for a message, the longest first."""
        self.outbox: list[Any] = []
        self.calls: list[Walk] = []
        self.open = False
        self.pool: list[Any] = []
        """What flows on before ``hello`` is over."""
        self.orders: dict[str | None, int] = {}
        self.higher: dict[str | None, int] = {}
        self.judged: list[tuple[Party, Verdict | None, str]] = []
        self.running: dict[tuple[int, Party], Walk] = {}
        self.queues: dict[tuple[int, Party], list[Any]] = {}
        self.unrouted = 0
        self.events: list[Any] = []
        self.parse = unit_parser(plan.frames)
        self.decoder = FrameDecoder(plan.frames, 1 << 20)

    def receive(self, frames: list[tuple[bytes, bool]]) -> None:
        for payload, binary in frames:
            for unit in self.decoder.units(payload, binary=binary):
                self.message(self.parse(unit.payload), unit)

    def message(self, value: Any, raw: Any) -> None:
        if missed := self.missed(None, self.plan.order, value):
            self.gap_of(self.upstream, "skipped", missed)
        for wait in self.waits:
            found = next((one for one in wait.expect if one.match.matches(value, wait.scope)), None)
            if found is not None:
                self.waits.remove(wait)
                wait.answered(found, value)
                if found.drop:
                    for rule in self.plan.rules:
                        for party in self.fitting(rule, value):
                            self.capture(rule, party, value)
                    return
                break
        self.rules(value, raw)

    def fitting(self, rule: Rule, value: Any) -> list[Party]:
        channels = [party for party in self.channels.values() if party.phase != "leaving"]
        parties = channels if rule.per_channel else [self.upstream]
        return [party for party in parties if rule.match.matches(value, party.scope)]

    def rules(self, value: Any, raw: Any) -> None:
        dropped: set[Party] = set()
        gaps: list[Party] = []
        acks: list[Any] = []
        judge: Rule | None = None
        for at, rule in enumerate(self.plan.rules):
            for party in self.fitting(rule, value):
                self.capture(rule, party, value)
                if rule.send is not None:
                    self.answer_rule(rule, party, value, acks)
                if rule.do:
                    self.do(at, rule, party, value)
                if rule.drop:
                    dropped.add(party)
                if rule.then is not None and judge in (None, rule):
                    judge = rule
                    if rule.then == "gap":
                        gaps.append(party)
                    else:
                        self.judge(party, rule.then, "rule")
        for party in gaps:
            self.gap_of(party, "declared", None)
        self.pass_on(value, raw, acks, dropped)

    def capture(self, rule: Rule, party: Party, value: Any) -> None:
        try:
            capture(party, party.scope, rule, value)
        except Failed:
            self.judge(party, None, "rule")

    def answer_rule(self, rule: Rule, party: Party, value: Any, acks: list[Any]) -> None:
        try:
            message = rule.send.message.render({**party.scope, "msg": value}) if rule.send else None
        except TemplateError:
            self.judge(party, None, "rule")
            return
        (acks if rule.ack_logged else self.outbox).append(encode_message(self.plan.frames, message))

    def do(self, at: int, rule: Rule, party: Party, value: Any) -> None:
        queue = self.queues.setdefault((at, party), [])
        queue.append(value)
        if (at, party) not in self.running:
            self.next_do(at, rule, party)

    def next_do(self, at: int, rule: Rule, party: Party) -> None:
        key = (at, party)
        self.running.pop(key, None)
        queue = self.queues[key]
        if queue:
            value = queue.pop(0)
            walk = Walk(self, rule.do, "rule", party, lambda: self.next_do(at, rule, party), value)
            self.running[key] = walk
            walk.go(None)

    def pass_on(self, value: Any, raw: Any, acks: list[Any], dropped: set[Party]) -> None:
        entry = [1, acks]
        if self.upstream in dropped:
            pass
        elif self.open:
            self.route(value, raw, entry, dropped)
            return
        else:
            self.pool.append(("message", value, raw, entry, dropped))
            return
        self.committed(entry)

    def route(self, value: Any, raw: Any, entry: list[Any], dropped: set[Party]) -> None:
        routed = bool(dropped)
        for party in self.channels.values():
            routes = self.plan.route or (None,)
            route = next((one for one in routes if one is None or one.match.matches(value, party.scope)), ABSENT)
            if route is not ABSENT:
                routed = True
                if party not in dropped:
                    self.give(party, route, value, raw, entry)  # type: ignore[arg-type]
        self.unrouted += not routed
        self.committed(entry)

    def give(self, party: Party, route: Route | None, value: Any, raw: Any, entry: list[Any]) -> None:
        if route is not None and (missed := self.missed(party.name, route.order, value)):
            self.gap(party, "skipped", missed)
        show = self.plan.show if route is None or route.show is None else route.show
        found = None if show is None else show.each(value)
        units = [raw] if found is None else [shown_unit(one) for one in found]
        key = party.channel.dedupe.get(value) if party.channel.dedupe is not None and not raw.binary else ABSENT
        text = None if key is ABSENT else json.dumps(key, sort_keys=True)
        for at, (payload, binary) in enumerate(units):
            mine = text if at == 0 or text is None else f"{text}#{at}"
            last = at == len(units) - 1
            self.add(party, ("message", party.name, payload, binary, mine, entry if last else None))
        entry[0] += bool(units)

    def add(self, party: Party, event: Any) -> None:
        if party.phase != "leaving":
            (self.events if party.phase == "ready" else party.held).append(event)

    def committed(self, entry: list[Any]) -> None:
        entry[0] -= 1
        if entry[0] == 0:
            self.outbox += entry[1]

    # numbers, gaps and verdicts

    def missed(self, whose: str | None, path: JsonPath | None, value: Any) -> int:
        number = ABSENT if path is None else path.get(value)
        if not isinstance(number, int) or isinstance(number, bool):
            return 0
        last, higher = self.orders.get(whose), self.higher.pop(whose, None)
        if last is None:
            self.orders[whose] = number
            return 0
        if number <= last and number in (0, 1):  # a counter that begins anew, or a message once more
            self.higher[whose] = last if higher is None else higher
            self.orders[whose] = number
            return 0
        if higher is not None and number > higher:  # it was a message once more
            last = higher
        self.orders[whose] = max(last, number)
        return max(number - last - 1, 0)

    def gap_of(self, party: Party, reason: str, missed: int | None) -> None:
        """Record a gap of a channel, or of every channel; before ``hello`` is over, behind what is held."""
        if not self.open:
            self.pool.append(("gap", party, reason, missed))
        else:
            for one in [party] if party.name else list(self.channels.values()):
                self.gap(one, reason, missed)

    def gap(self, party: Party, reason: str, missed: int | None) -> None:
        self.add(party, ("gap", party.name, reason, missed))

    def judge(self, party: Party, verdict: Verdict | None, moment: str) -> None:
        whose = party if self.shared else self.upstream
        if all(one is not whose for one, _, _ in self.judged):
            self.judged.append((whose, verdict, moment))
