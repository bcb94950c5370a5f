"""Verdicts and backoff policies: merged by key, each error at the key that is wrong."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import ValidationError

from wscli.config.context import Context
from wscli.config.nodes import Branch, kind_of, plain
from wscli.config.spots import Spot
from wscli.config.translate import translate_errors
from wscli.core.actions import Verdict
from wscli.core.backoff import BackoffPolicy
from wscli.core.verdicts import CodeRange, VerdictTable, parse_verdicts
from wscli.templates import did_you_mean
from wscli.values import shown

__all__ = ["Policies", "check_verdicts"]

DEFAULT = "default"
_NO_VERDICTS: VerdictTable = {}


def check_verdicts(spot: Spot | None, context: Context) -> VerdictTable:
    """Read a table of verdicts."""
    if spot is None or not _is_mapping(spot, context, "a mapping of codes to verdicts"):
        return _NO_VERDICTS
    table: dict[CodeRange, Verdict] = {}
    for key, value in spot.entries():
        try:
            (code,) = parse_verdicts({key: "stop"})
        except ValueError as error:
            context.add(value, str(error), key=True)
            continue
        if code in table:
            context.add(value, f"{key!r} has a verdict already, written otherwise", key=True)
        try:
            table.update(parse_verdicts({key: plain(value.node)}))
        except ValueError as error:
            inner = [spot for _, spot in value.entries()]
            wrong = inner[0] if [spot.key for spot in inner] == ["retry"] else value
            if not context.problems.at(wrong.mark):
                context.add(wrong, str(error))
    return table


def _is_mapping(spot: Spot, context: Context, wanted: str) -> bool:
    if isinstance(spot.node, Branch):
        return True
    if not context.problems.at(spot.mark):
        what = shown(spot.text) if spot.text is not None else kind_of(spot.node)
        context.add(spot, f"{what} stands where {wanted} is wanted")
    return False


class Resolved(NamedTuple):
    """A policy, and the keys that were written for it, which others are merged over."""

    policy: BackoffPolicy = BackoffPolicy()
    keys: Branch | None = None


class Policies:
    """The backoff policies of a file. Each named one is merged over ``default``, and ``default`` over the built-in."""

    def __init__(self, spot: Spot | None, context: Context) -> None:
        self._context = context
        self._named = {DEFAULT: Resolved()}
        self._inline: dict[tuple[int, int], Resolved] = {}
        if spot is None or not _is_mapping(spot, context, "a mapping of names to policies"):
            return
        if any(key in BackoffPolicy.model_fields for key, _ in spot.entries()):
            context.add(spot, "a policy stands under its name here; write 'default: {...}'", key=True)
            return
        policies = dict(spot.entries())
        first = policies.pop(DEFAULT, None)
        for policy in (first, *policies.values()):
            if policy is not None and _is_mapping(policy, context, "a policy (a mapping)"):
                self._named[policy.key] = self._merge(policy, self._named[DEFAULT])

    @property
    def default(self) -> Resolved:
        """What applies where nothing is said."""
        return self._named[DEFAULT]

    def resolve(self, spot: Spot | None, inherited: Resolved) -> Resolved:
        """Read the ``backoff:`` of an endpoint or a channel: a name, or keys that are merged over what it inherits."""
        if spot is None:
            return inherited
        if spot.text is not None:
            return self._by_name(spot)
        if not _is_mapping(spot, self._context, "the name of a policy, or a policy,"):
            return inherited
        same = (id(spot.node), id(inherited.keys))
        if same not in self._inline:
            self._inline[same] = self._merge(spot, inherited)
        return self._inline[same]

    def _by_name(self, spot: Spot) -> Resolved:
        found = self._named.get(str(spot.text))
        if found is None and not self._context.problems.at(spot.mark):
            near = did_you_mean(str(spot.text), self._named) or f"; declared: {', '.join(self._named)}"
            self._context.add(spot, f"no backoff policy is called {shown(spot.text)}{near}")
        return found or self.default

    def _merge(self, spot: Spot, inherited: Resolved) -> Resolved:
        own = spot.node
        if not isinstance(own, Branch):
            return inherited
        under = inherited.keys.entries if inherited.keys is not None else {}
        keys = Branch(own.mark, {**under, **own.entries})
        try:
            return Resolved(BackoffPolicy.model_validate(plain(keys)), keys)
        except ValidationError as error:
            translate_errors(error, Spot(keys, spot.path, spot.key_mark), self._context.problems)
            return Resolved(inherited.policy, keys)
