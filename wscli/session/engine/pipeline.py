"""The way of a message: a frame, its messages, ``order``, a step that waits, rules, routes, ``show``, its channels."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from wscli.core.failures import Failure, FailureKind
from wscli.jsontext import encode_json
from wscli.session.actions import CountUnrouted, Reply
from wscli.session.engine.core import Core
from wscli.session.engine.delivery import MOST_BYTES, MOST_HELD, TOO_MUCH_HELD, Delivery, Outcome
from wscli.session.engine.index import Found, Routes, shown_by
from wscli.session.engine.parts import ChannelPart, Part
from wscli.session.engine.steps.waits import Replies, Waits
from wscli.session.frames import BadStream, FrameDecoder, Unit, unit_parser
from wscli.session.request_ids import RequestIds
from wscli.templates.paths import ABSENT, JsonPath

__all__ = ["Pipeline"]

_TEXT = ord("t")


class _Held(NamedTuple):
    """A message that is held until ``hello`` is over."""

    value: Any
    payload: bytes
    binary: bool
    ack: int | None
    dropped_for: Sequence[Part]


class _HeldGap(NamedTuple):
    """A gap between such messages."""

    part: Part
    reason: str
    missed: int | None


class Pipeline:
    """Takes what a connection receives to its channels."""

    def __init__(
        self,
        core: Core,
        waits: Waits,
        replies: Replies,
        ids: RequestIds,
        delivery: Delivery,
        apply: Callable[[Any], Outcome | None],
        observe: Callable[[Any], None],
        max_message: int,
    ) -> None:
        plan = core.plan
        self._core, self._waits, self._replies, self._delivery = core, waits, replies, delivery
        self._ids = ids
        self._apply, self._observe = apply, observe
        self._parse = unit_parser(plan.frames)
        self._decoder = None if plan.frames.whole else FrameDecoder(plan.frames, max_message)
        self._routes = Routes(plan, core.upstream, core.channels)
        self._find = self._routes.find
        self._show = shown_by(plan.show)
        self._order = plan.order
        self._looks = bool(plan.rules or plan.route or plan.show or plan.order) or self._decoder is not None
        """Whether something looks at each message."""
        self._held: list[_Held | _HeldGap] = []
        self._higher: dict[str | None, int] = {}
        """The last number where a 0 or 1 followed, which is a message once more if the number after it is higher."""

    # channels

    def place(self, part: ChannelPart) -> None:
        """Route messages to a channel."""
        self._looks = self._looks or part.of.dedupe is not None
        self._routes.place(part)

    def remove(self, part: ChannelPart) -> None:
        """Route no message to it any more."""
        self._routes.remove(part)

    def open(self) -> None:
        """Give the channels what was held until ``hello`` is over."""
        held, self._held = self._held, []
        self._core.held_bytes = 0
        self._core.now.undelivered.discard(None)
        for one in held:
            if isinstance(one, _HeldGap):
                self._gap(*one)
            else:
                self._route(*one)

    # messages

    def received(self, payloads: Sequence[bytes], kinds: bytes | None) -> None:
        """Take the messages of one turn all the way, one after the other."""
        core = self._core
        if not self._looks and core.ready and not self._waits.count and not self._replies.count:
            for part in core.channels.values():
                self._delivery.give_all(part, payloads, kinds)
            if not core.channels:
                core.actions.append(CountUnrouted(len(payloads)))
            return
        take = self._message if self._decoder is None else self._frame
        try:
            if kinds is None:
                for payload in payloads:
                    take(payload, False)
            else:
                for payload, kind in zip(payloads, kinds, strict=True):
                    take(payload, kind != _TEXT)
        except BadStream as error:
            core.judge(core.upstream, None, Failure(FailureKind.VIOLATION, str(error), by="us"))

    def _frame(self, payload: bytes, binary: bool) -> None:
        """Take the messages that a frame holds, or ends."""
        if self._decoder is not None:
            for unit in self._decoder.units(payload, binary=binary):
                self._message(*unit)

    def _message(self, payload: bytes, binary: bool) -> None:
        value = self._parse(payload)
        if self._order is not None and (missed := self._missed(None, self._order, value)):
            self._gap(self._core.upstream, "skipped", missed)
        if self._waits.count and self._awaited(value, payload):
            return
        private = self._replies.count and self._reply(value, payload, binary)
        outcome = self._apply(value)
        if private:
            outcome = outcome or Outcome()
            outcome.dropped = True
        if outcome is not None:
            self._go_by(outcome, value, payload, binary)
        elif not self._core.ready:
            self._hold(_Held(value, payload, binary, None, ()))
        elif found := self._find(value):
            self._give(found, value, payload, binary, None)
        else:
            self._core.actions.append(CountUnrouted(1))

    def _awaited(self, value: Any, payload: bytes) -> bool:
        """Carry a step on that waits for the message; say whether that is all."""
        found = self._waits.take(value, payload)
        if found is None:
            return False
        awaiting, alternative = found
        awaiting.answer(awaiting, alternative, value, payload)
        if not alternative.drop:
            return False
        self._observe(value)
        return True

    def _reply(self, value: Any, payload: bytes, binary: bool) -> bool:
        """Give a program the reply that it waits for; say whether the message is for that program alone."""
        asked = self._replies.take(value)
        if asked is None:
            return False
        if asked.own_id is not None:
            value = self._ids.restored(value, asked.own_id, asked.ref)
            payload = encode_json(value)
        if asked.reply == "private":
            self._delivery.finish()  # in its place among what the channel gets
        units = None if self._show is None else self._show(value)
        unit = units[0] if units and len(units) == 1 else Unit(payload, binary)
        self._core.actions.append(Reply(asked, *unit))
        return asked.reply == "private"

    def _go_by(self, outcome: Outcome, value: Any, payload: bytes, binary: bool) -> None:
        """Let a message flow on as the rules say."""
        for part in outcome.gaps:
            self._gap(part, "declared", None)
        ack = self._delivery.acknowledge(outcome.acks) if outcome.acks else None
        if outcome.dropped:
            if ack is not None:
                self._delivery.logged(ack)
        elif self._core.ready:
            self._route(value, payload, binary, ack, outcome.dropped_for)
        else:
            self._hold(_Held(value, payload, binary, ack, outcome.dropped_for))

    def _route(self, value: Any, payload: bytes, binary: bool, ack: int | None, dropped_for: Sequence[Part]) -> None:
        found = self._find(value)
        if not (found or dropped_for):
            self._core.actions.append(CountUnrouted(1))
        if dropped_for:
            found = [one for one in found if one[0] not in dropped_for]
        self._give(found, value, payload, binary, ack)
        if ack is not None:
            self._delivery.logged(ack)

    def _give(self, found: Found, value: Any, payload: bytes, binary: bool, ack: int | None) -> None:
        """Give channels what of a message is theirs."""
        shown_by, units = None, None
        for part, (show, order) in found:
            if order is not None and (missed := self._missed(part.of.name, order, value)):
                self._delivery.gap(part, "skipped", missed)
            key = None if part.dedupe is None or binary else _key(part.dedupe, value)
            if show is not shown_by:
                shown_by, units = show, None if show is None else show(value)
            if ack is not None and (units is None or units):
                self._delivery.await_commit(ack)
            if units is None:
                self._delivery.give(part, payload, binary, key, ack)
            elif len(units) == 1:
                self._delivery.give(part, *units[0], key, ack)
            else:
                self._delivery.give_parts(part, units, key, ack)

    def _hold(self, one: _Held) -> None:
        self._core.held_bytes += len(one.payload)
        if self._core.held_bytes > MOST_BYTES or len(self._held) >= MOST_HELD:
            self._held.clear()
            self._core.fail(self._core.upstream, "hello", TOO_MUCH_HELD)
        else:
            self._held.append(one)
            self._core.now.undelivered.add(None)

    # numbers and gaps

    def _gap(self, part: Part, reason: str, missed: int | None) -> None:
        """Record a gap of a channel, or of every channel."""
        if not self._core.ready:
            self._held.append(_HeldGap(part, reason, missed))
            return
        for one in (part,) if isinstance(part, ChannelPart) else tuple(self._core.channels.values()):
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
        orders, higher = self._core.now.orders, self._higher.pop(whose, None)
        last = orders.get(whose)
        if last is None:
            orders[whose] = number
            return 0
        if higher is not None and number > higher:
            last = higher
        if number > last:
            orders[whose] = number
        elif number in (0, 1):
            orders[whose], self._higher[whose] = number, last if higher is None else higher
        return max(number - last - 1, 0)


def _key(dedupe: JsonPath, value: Any) -> str | None:
    """Give what ``dedupe`` recognises a message by; None: nothing."""
    found = dedupe.get(value)
    if found is ABSENT:
        return None
    try:
        return json.dumps(found, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return None
