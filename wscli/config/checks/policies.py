"""Verdicts and backoff policies: merged by key, each error at the key that is wrong."""

from __future__ import annotations

from typing import NamedTuple

from pydantic import ValidationError

from wscli.config.checks.context import Context
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch, kind_of, plain
from wscli.config.translate import report_errors
from wscli.core.backoff import BackoffPolicy
from wscli.core.failures import Action, Verdict
from wscli.core.verdicts import VerdictKey, VerdictTable, parse_verdicts
from wscli.templates import did_you_mean
from wscli.values import is_extension, shown

__all__ = ["Policies", "check_shared_verdicts", "check_strict", "check_verdicts"]

DEFAULT = "default"


def check_verdicts(
    located: Located | None, above: tuple[VerdictTable, ...], context: Context
) -> tuple[VerdictTable, ...]:
    """Read a table of verdicts, and put it before those above; an empty one is left out."""
    if located is None or not _is_mapping(located, context, "a mapping of codes and kinds to verdicts"):
        return above
    table: dict[VerdictKey, Verdict] = {}
    for key, value in located.entries():
        if is_extension(key):
            continue
        try:
            (code,) = parse_verdicts({key: "stop"})
        except ValueError as error:
            context.add(value, str(error), key=True)
            continue
        if code in table:
            context.add(value, f"{key!r} has a verdict already, under another spelling", key=True)
        try:
            table.update(parse_verdicts({key: plain(value.node)}))
        except ValueError as error:
            inner = [located for _, located in value.entries()]
            wrong = inner[0] if [located.key for located in inner] == ["retry"] else value
            if not context.problems.at(wrong.mark):
                context.add(wrong, str(error))
    return (table, *above) if table else above


def check_shared_verdicts(located: Located | None, context: Context) -> None:
    """Refuse ``replace`` for the subscription of a channel whose connection others share."""
    verdict = None if located is None else located.get("session:subscribe")
    if verdict is not None and verdict.text == Action.REPLACE.value:
        text = "'replace' is of a whole connection, which other channels share; use retry, reconnect, fresh or stop"
        context.add(verdict, text)


def check_strict(clients: Located | None, strict: Located | None, place: Located | None, context: Context) -> None:
    """Refuse ``strict: false`` where clients have an upstream each; the problem is at ``place``."""
    said = tuple(None if one is None else one.text for one in (clients, strict))
    if place is not None and said == ("own", "false"):
        text = "a client that has an upstream of its own always ends with it; leave 'strict: false' out"
        context.add(place, f"{text}, or say 'clients: shared'")


def _is_mapping(located: Located, context: Context, wanted: str) -> bool:
    if isinstance(located.node, Branch):
        return True
    if not context.problems.at(located.mark):
        what = shown(located.text) if located.text is not None else kind_of(located.node)
        context.add(located, f"must be {wanted}, not {what}")
    return False


class MergedPolicy(NamedTuple):
    """A policy, and its keys as written, over which others are merged."""

    policy: BackoffPolicy = BackoffPolicy()
    keys: Branch | None = None


class Policies:
    """The backoff policies of a file. Each named one is merged over ``default``, and ``default`` over the built-in."""

    def __init__(self, located: Located | None, context: Context) -> None:
        self._context = context
        self._named = {DEFAULT: MergedPolicy()}
        self._inline: dict[tuple[int, int], MergedPolicy] = {}
        if located is None or not _is_mapping(located, context, "a mapping of names to policies"):
            return
        if any(key in BackoffPolicy.model_fields for key, _ in located.entries()):
            context.add(located, "a policy has a name here; write 'default: {...}'", key=True)
            return
        policies = dict(located.entries())
        first = policies.pop(DEFAULT, None)
        for policy in (first, *policies.values()):
            if policy is not None and _is_mapping(policy, context, "a policy (a mapping)"):
                self._named[policy.key] = self._merge(policy, self._named[DEFAULT])

    @property
    def default(self) -> MergedPolicy:
        """The policy where none is named."""
        return self._named[DEFAULT]

    def resolve(self, located: Located | None, inherited: MergedPolicy) -> MergedPolicy:
        """Read the ``backoff:`` of an endpoint or a channel: a name, or keys merged over the inherited policy."""
        if located is None:
            return inherited
        if located.text is not None:
            found = self._named.get(str(located.text))
            if found is None and not self._context.problems.at(located.mark):
                near = did_you_mean(str(located.text), self._named) or f"; declared: {', '.join(self._named)}"
                self._context.add(located, f"no backoff policy is called {shown(located.text)}{near}")
            return found or self.default
        if not _is_mapping(located, self._context, "the name of a policy, or a policy"):
            return inherited
        same = (id(located.node), id(inherited.keys))
        if same not in self._inline:
            self._inline[same] = self._merge(located, inherited)
        return self._inline[same]

    def _merge(self, located: Located, inherited: MergedPolicy) -> MergedPolicy:
        own = located.node
        if not isinstance(own, Branch):
            return inherited
        under = inherited.keys.entries if inherited.keys is not None else {}
        keys = Branch(own.mark, {**under, **own.entries})
        try:
            return MergedPolicy(BackoffPolicy.model_validate(plain(keys)), keys)
        except ValidationError as error:
            report_errors(error, Located(keys, located.path, located.key_mark), self._context.problems)
            return MergedPolicy(inherited.policy, keys)
