"""Rules: what is done about each message that fits."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any

from wscli.core.failures import Verdict
from wscli.jsontext import encode_json
from wscli.session.engine.core import Core
from wscli.session.engine.delivery import Outcome
from wscli.session.engine.index import ChannelIndex
from wscli.session.engine.outgoing import Outbound
from wscli.session.engine.parts import CaptureFailed, Captures, ChannelPart, Part, Phase
from wscli.session.engine.steps.requests import StepFailed, shortened
from wscli.session.engine.steps.run import Run, Steps
from wscli.session.plan import Rule
from wscli.templates import TemplateError
from wscli.templates.paths import ABSENT

__all__ = ["Rules"]

_HASHABLE = (str, int, float)
_MOST_QUEUED = 256
"""Messages that wait for the ``do`` of one rule."""


class _Prepared:
    """A rule, and the runs of its ``do``."""

    __slots__ = ("acts", "captures", "fitting", "index", "queues", "rule", "runs")

    def __init__(self, rule: Rule, upstream: Part) -> None:
        self.rule = rule
        self.captures = Captures(rule) if rule.set or rule.keep else None
        self.acts = bool(rule.send or rule.do or rule.drop or rule.then)
        self.index = ChannelIndex(rule.match) if rule.per_channel else None
        self.fitting = _upstream_fitting(rule, upstream) if self.index is None else _channels_fitting(self.index)
        """Gives the parts that a message concerns; called for every message that may fit."""
        self.runs: dict[Part, Run] = {}
        self.queues: dict[Part, deque[Any]] = {}


class Rules:
    """The rules of one connection."""

    def __init__(self, core: Core, steps: Steps, outbound: Outbound) -> None:
        self._core = core
        self._steps = steps
        self._outbound = outbound
        self._all = tuple(_Prepared(rule, core.upstream) for rule in core.plan.rules)
        self._key = _common_key(self._all)
        """A key that most of them want with a certain value: the others are not looked at."""
        self._rest = tuple(one for one in self._all if _constant(one, self._key) is ABSENT)
        self._by_constant = {
            constant: tuple(one for one in self._all if _constant(one, self._key) in (constant, ABSENT))
            for constant in {_constant(one, self._key) for one in self._all} - {ABSENT}
        }

    def place(self, part: ChannelPart) -> None:
        """Apply the rules of channels to a channel's messages."""
        for one in self._all:
            if one.index is not None:
                one.index.watch(part)

    def remove(self, part: ChannelPart) -> None:
        """Apply them no longer, and stop what they do."""
        for one in self._all:
            if one.index is not None:
                one.index.remove(part)
            one.queues.pop(part, None)
            run = one.runs.pop(part, None)
            if run is not None:
                run.stop()

    def observe(self, value: Any) -> None:
        """Only set and keep, of a message that a step awaited."""
        for one in self._all:
            if one.captures is not None:
                self._capture(one.captures, one.rule, one.fitting(value), value)

    def apply(self, value: Any) -> Outcome | None:
        """Carry out every rule that the message fits; None: it flows on as it is."""
        rules = self._rest
        if value.__class__ is dict:
            constant = value.get(self._key)
            if constant.__class__ in _HASHABLE:
                rules = self._by_constant.get(constant, rules)
        outcome: Outcome | None = None
        for one in rules:
            parts = one.fitting(value)
            if not parts:
                continue
            if one.captures is not None:
                self._capture(one.captures, one.rule, parts, value)
            if one.acts:
                outcome = outcome or Outcome()
                for part in parts:
                    self._carry_out(one, part, value, outcome)
        return outcome

    def _capture(self, captures: Captures, rule: Rule, parts: Sequence[Part], value: Any) -> None:
        for part in parts:
            try:
                captures.take(part, value, part.scope)
            except CaptureFailed as error:
                self._core.fail(part, "rule", f"{rule.place}: cannot set {error}")

    def _carry_out(self, one: _Prepared, part: Part, value: Any, outcome: Outcome) -> None:
        rule = one.rule
        if rule.send is not None:
            self._send(rule, part, value, outcome)
        if rule.do:
            self._do(one, part, value)
        if rule.drop and part is self._core.upstream:
            outcome.dropped = True
        elif rule.drop:
            outcome.dropped_for.append(part)
        if rule.then is not None and outcome.judge in (None, rule):
            outcome.judge = rule
            if isinstance(rule.then, Verdict):
                sent = shortened(encode_json(value))
                self._core.fail(part, "rule", f"{rule.place}: the server sent {sent}", rule.then)
            else:
                outcome.gaps.append(part)

    def _send(self, rule: Rule, part: Part, value: Any, outcome: Outcome) -> None:
        if rule.send is None:
            return
        try:
            message = self._outbound.prepared(part, rule.send, {**part.scope, "msg": value})
        except TemplateError as error:
            self._core.fail(part, "rule", f"{rule.place}: cannot send: {error}")
            return
        if rule.ack_logged:
            outcome.acks.append(message)
        else:
            self._core.send(message)

    def _do(self, one: _Prepared, part: Part, value: Any) -> None:
        """Run the steps, after those for earlier messages."""
        if part in one.runs:
            queue = one.queues.setdefault(part, deque())
            queue.append(value)
            if len(queue) > _MOST_QUEUED:
                self._core.fail(part, "rule", f"{one.rule.place}: over {_MOST_QUEUED} messages wait for its 'do'")
            return

        self._start(one, part, value)

    def _start(self, one: _Prepared, part: Part, value: Any) -> None:
        def failed(error: StepFailed) -> None:
            self._core.judge(part, error.verdict, error.failure)
            self._over(one, part)

        run = self._steps.run(one.rule.do, "rule", part, lambda: self._over(one, part), failed, message=value)
        if not run.over:
            one.runs[part] = run

    def _over(self, one: _Prepared, part: Part) -> None:
        if one.runs.pop(part, None) is None:
            return  # it ended at once
        queue = one.queues.get(part)
        while queue and part not in one.runs:
            self._start(one, part, queue.popleft())


def _upstream_fitting(rule: Rule, upstream: Part) -> Callable[[Any], Sequence[Part]]:
    matches, scope, fitting = rule.match.matches, upstream.scope, (upstream,)
    return lambda value: fitting if matches(value, scope) else ()


def _channels_fitting(index: ChannelIndex) -> Callable[[Any], Sequence[Part]]:
    return lambda value: [part for part, _ in index.fitting(value) if part.phase is not Phase.LEAVING]


def _constant(one: _Prepared, key: str | None) -> Any:
    """Give the text or number that a rule wants at a key; ABSENT: none."""
    for leaf in one.rule.match.equalities:
        if leaf.path == (key,) and leaf.wanted.__class__ in _HASHABLE:
            return leaf.wanted
    return ABSENT


def _common_key(rules: Sequence[_Prepared]) -> str | None:
    keys = Counter(
        leaf.path[0]
        for one in rules
        for leaf in one.rule.match.equalities
        if len(leaf.path) == 1 and leaf.wanted.__class__ in _HASHABLE
    )
    return str(keys.most_common(1)[0][0]) if keys else None
