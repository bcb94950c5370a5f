"""The way of a message: a frame, its messages, ``order``, a step that waits, rules, routes, ``show``, its channels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from wscli.core.failures import Failure, FailureKind
from wscli.session.actions import Reply
from wscli.session.engine.core import Core
from wscli.session.engine.delivery import MOST_HELD, Delivery, Outcome
from wscli.session.engine.index import Routes
from wscli.session.engine.parts import ChannelPart, HeldGap, Part
from wscli.session.engine.steps.waits import Replies, Waits
from wscli.session.frames import BadStream, FrameDecoder, Unit, parse_message, shown_unit
from wscli.session.plan import Route
from wscli.templates.paths import ABSENT, JsonPath

__all__ = ["Pipeline"]

_TEXT = ord("t")


class _Pooled:
    """A message that is held for channels to come."""

    __slots__ = ("ack", "dropped_for", "raw", "taken", "value")

    def __init__(self, value: Any, raw: Unit, ack: int | None, dropped_for: Sequence[Part]) -> None:
        self.value = value
        self.raw = raw
        self.ack = ack
        self.dropped_for = dropped_for
        self.taken = bool(dropped_for)


class Pipeline:
    """Takes what a connection receives to its channels."""

    def __init__(
        self,
        core: Core,
        waits: Waits,
        replies: Replies,
        delivery: Delivery,
        apply: Callable[[Any], Outcome | None],
        observe: Callable[[Any], None],
        max_message: int,
    ) -> None:
        plan = core.plan
        self._core, self._waits, self._replies, self._delivery = core, waits, replies, delivery
        self._apply, self._observe = apply, observe
        self._parse = partial(parse_message, plan.frames)
        self._decoder = None if plan.frames.whole else FrameDecoder(plan.frames, max_message)
        self._routes = Routes(plan.route, core.upstream, core.channels)
        self._show = plan.show
        self._order = plan.order
        self._looks = bool(plan.rules or plan.route or plan.show or plan.order) or self._decoder is not None
        """Whether something looks at each message."""
        self._pool: list[_Pooled | HeldGap] = []
        self.unrouted = 0

    # channels

    def place(self, part: ChannelPart) -> None:
        """Route messages to a channel."""
        self._looks = self._looks or part.of.dedupe is not None
        self._routes.place(part)

    def remove(self, part: ChannelPart) -> None:
        """Route no message to it any more."""
        self._routes.remove(part)

    def take_pool(self, part: ChannelPart) -> None:
        """Give a channel what was held for those to come."""
        for one in self._pool:
            if isinstance(one, HeldGap):
                self._delivery.gap(part, one.reason, one.missed)
                continue
            mine, route = self._routes.route_of(part, one.value)
            if mine and part not in one.dropped_for:
                one.taken = True
                self._give(part, route, one.value, one.raw, one.ack, {})

    def close_pool(self) -> None:
        """Hold nothing more for channels to come."""
        pool, self._pool = self._pool, []
        self._core.pooled = 0
        self._core.pooling = False
        self._core.now.undelivered.discard(None)
        for one in pool:
            if isinstance(one, _Pooled):
                self.unrouted += not one.taken
                if one.ack is not None:
                    self._delivery.logged(one.ack)

    # messages

    def received(self, payloads: Sequence[bytes], kinds: bytes | None) -> None:
        """Take the messages of one turn all the way, one after the other."""
        core = self._core
        if core.pooling and core.ready and core.channels:
            self.close_pool()
        if not self._looks and not core.pooling and not self._waits.count and not self._replies.count:
            for part in core.channels.values():
                self._delivery.give_all(part, payloads, kinds)
            self.unrouted += 0 if core.channels else len(payloads)
            return
        try:
            for at, payload in enumerate(payloads):
                binary = kinds is not None and kinds[at] != _TEXT
                if self._decoder is None:
                    self._message(Unit(payload, binary))
                else:
                    for unit in self._decoder.units(payload, binary=binary):
                        self._message(unit)
        except BadStream as error:
            core.judge(core.upstream, None, Failure(FailureKind.VIOLATION, str(error), by="us"))

    def _message(self, raw: Unit) -> None:
        value = self._parse(raw.payload)
        if self._order is not None and (missed := self._missed(None, self._order, value)):
            self._gap(self._core.upstream, "skipped", missed)
        if self._waits.count and self._awaited(value, raw):
            return
        if self._replies.count:
            self._reply(value, raw)
        outcome = self._apply(value)
        if outcome is None:
            self._route(value, raw, None, ())
        else:
            self._go_by(outcome, value, raw)

    def _awaited(self, value: Any, raw: Unit) -> bool:
        """Carry a step on that waits for the message; say whether that is all."""
        found = self._waits.take(value, raw.payload)
        if found is None:
            return False
        awaiting, alternative = found
        awaiting.answer(awaiting, alternative, value, raw.payload)
        if not alternative.drop:
            return False
        self._observe(value)
        return True

    def _reply(self, value: Any, raw: Unit) -> None:
        asked = self._replies.take(value)
        if asked is not None:
            self._core.actions.append(Reply(asked, raw.payload))

    def _go_by(self, outcome: Outcome, value: Any, raw: Unit) -> None:
        """Let a message flow on as the rules say."""
        for part in outcome.gaps:
            self._gap(part, "declared", None)
        ack = self._delivery.acknowledge(outcome.acks) if outcome.acks else None
        pooled = not outcome.dropped and self._core.pooling
        if not outcome.dropped:
            self._route(value, raw, ack, outcome.dropped_for)
        if ack is not None and not pooled:
            self._delivery.logged(ack)

    def _route(self, value: Any, raw: Unit, ack: int | None, dropped_for: Sequence[Part]) -> None:
        if self._core.pooling:
            self._hold(value, raw, ack, dropped_for)
            return
        shown: dict[int, list[Unit]] = {}
        routed = bool(dropped_for)
        for part, route in self._routes.find(value):
            routed = True
            if part not in dropped_for:
                self._give(part, route, value, raw, ack, shown)
        self.unrouted += not routed

    def _give(
        self,
        part: ChannelPart,
        route: Route | None,
        value: Any,
        raw: Unit,
        ack: int | None,
        shown: dict[int, list[Unit]],
    ) -> None:
        show = self._show
        if route is not None:
            if route.order is not None and (missed := self._missed(part.of.name, route.order, value)):
                self._delivery.gap(part, "skipped", missed)
            show = route.show or show
        units = shown.get(id(show))
        if units is None:
            units = shown[id(show)] = [raw] if show is None else _shown(show, value, raw)
        dedupe = part.of.dedupe
        self._delivery.give(part, units, None if dedupe is None else _key(dedupe, value, raw), ack)

    def _hold(self, value: Any, raw: Unit, ack: int | None, dropped_for: Sequence[Part]) -> None:
        self._core.pooled += len(raw.payload)
        if self._core.pooled > MOST_HELD:
            self._pool.clear()
            text = "over 1MiB of messages arrived before a channel could be subscribed"
            self._core.fail(self._core.upstream, "hello", text)
        else:
            self._pool.append(_Pooled(value, raw, ack, dropped_for))
            self._core.now.undelivered.add(None)

    # numbers and gaps

    def _gap(self, part: Part, reason: str, missed: int | None) -> None:
        """Record a gap of a channel, or of every channel."""
        if isinstance(part, ChannelPart):
            self._delivery.gap(part, reason, missed)
            return
        if self._core.pooling:
            self._pool.append(HeldGap(reason, missed))
        else:
            for one in self._core.channels.values():
                self._delivery.gap(one, reason, missed)

    def _missed(self, whose: str | None, path: JsonPath, value: Any) -> int:
        """Count a number of ``order``, and give how many before it are missing.

        A lower number is a message once more, or the first one of a counter that began anew.
        """
        number = path.get(value)
        if isinstance(number, str) and number.isascii() and number.isdecimal() and len(number) < 20:
            number = int(number)
        if number.__class__ is not int:
            return 0
        last = self._core.now.orders.get(whose)
        if last is None or number > last or number in (0, 1):
            self._core.now.orders[whose] = number
        return max(number - last - 1, 0) if last is not None else 0


def _shown(show: JsonPath, value: Any, raw: Unit) -> list[Unit]:
    found = show.each(value)
    return [raw] if found is None else [shown_unit(one) for one in found]


def _key(dedupe: JsonPath, value: Any, raw: Unit) -> str | None:
    found = ABSENT if raw.binary else dedupe.get(value)
    if found is ABSENT:
        return None
    try:
        return json.dumps(found, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return None
