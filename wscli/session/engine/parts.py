"""The variables of a session's parts: of its upstream, and of each channel on it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, NamedTuple

from wscli.jsontext import encode_json
from wscli.session.actions import ChannelSession, Deliver
from wscli.session.plan import Alternative, Assigned, Rule, Step
from wscli.templates import JsonTemplate, Scope, TemplateError
from wscli.templates.paths import ABSENT, JsonPath

__all__ = ["CaptureFailed", "Captures", "ChannelPart", "HeldGap", "HeldMessage", "Part", "Phase"]

_LARGEST = 64 << 10
"""Bytes of one value, as JSON."""
_MOST = 1000
"""Values of one part."""


class CaptureFailed(ValueError):
    """A value could not be set or kept; the text names its variable and its path, never a value."""


class Part:
    """An upstream's variables on one connection, or a channel's."""

    __slots__ = ("changes", "channel", "kept", "kept_changed", "resumed", "scope", "variables", "watchers")

    def __init__(
        self, channel: ChannelSession | None, kept: dict[str, Any], scope: Scope, changes: list[Part] | None
    ) -> None:
        self.channel = channel
        self.changes = changes
        """The parts whose kept values are to be written; None: what it keeps is in memory alone."""
        self.kept = kept
        self.kept_changed = False
        """Whether kept values are to be written."""
        self.resumed = False
        """Whether an answer said that the server sends what was missed."""
        self.variables: dict[str, Any] = dict(kept)
        self.scope: dict[str, Any] = {**scope, ("var" if channel is None else "sub"): self.variables}
        self.watchers: dict[str, list[Callable[[], None]]] = {}
        """Called after the variable of the name got another value."""

    def keep_changed(self) -> None:
        """Have the kept values written."""
        if self.changes is not None and not self.kept_changed:
            self.kept_changed = True
            self.changes.append(self)

    def watch(self, name: str, callback: Callable[[], None]) -> None:
        """Call the function after the variable got another value."""
        self.watchers.setdefault(name, []).append(callback)

    def unwatch(self, name: str, callback: Callable[[], None]) -> None:
        """Call it no more."""
        if callback in self.watchers.get(name, ()):
            self.watchers[name].remove(callback)

    def assign(self, name: str, value: Any, keep: bool = False) -> None:
        """Give a variable its value."""
        watched = self.watchers and self.variables.get(name, ABSENT) != value
        self.variables[name] = value
        if keep and self.kept.get(name, ABSENT) != value:
            self.kept[name] = value
            if self.changes is not None:
                self.keep_changed()
        if watched:
            for changed in tuple(self.watchers.get(name, ())):
                changed()


class Phase(Enum):
    """How far a channel is on a connection."""

    QUEUED = "queued"
    SUBSCRIBING = "subscribing"
    READY = "ready"
    LEAVING = "leaving"


class HeldMessage(NamedTuple):
    """A message for a channel that is not subscribed yet."""

    payload: bytes
    binary: bool
    key: str | None
    ack: int | None


class HeldGap(NamedTuple):
    """A gap between such messages."""

    reason: str
    missed: int | None


class ChannelPart(Part):
    """A channel on one connection, and those of its messages that are not given out yet."""

    __slots__ = (
        "batch",
        "dedupe",
        "heard",
        "held",
        "held_bytes",
        "keys",
        "kinds",
        "of",
        "phase",
        "plain",
        "rendered",
    )

    def __init__(self, channel: ChannelSession, scope: Scope, changes: list[Part]) -> None:
        scope = {**scope, "param": channel.params, "with": channel.values}
        super().__init__(channel, channel.kept, scope, changes)
        self.of = channel
        self.phase = Phase.QUEUED
        self.rendered: list[Any] = []
        """What its subscribe sent, with references masked."""
        self.held: list[HeldMessage | HeldGap] = []
        self.held_bytes = 0
        self.heard = 0.0
        """When it received messages last."""
        self.dedupe = channel.dedupe
        self.batch: Deliver | None = None
        """What was received of it in this turn, and is not given out yet."""
        self.kinds: bytearray | None = None
        self.plain = self.dedupe is None
        """Whether the batch is texts without keys and acknowledgements."""

    def note(self, batch: Deliver, *, binary: bool, key: str | None, ack: int | None) -> None:
        """Note what the message is that was added last to its batch."""
        self.plain = False
        if binary and self.kinds is None:
            self.kinds = bytearray(b"t" * (len(batch.payloads) - 1))
        if self.kinds is not None:
            self.kinds += b"b" if binary else b"t"
        if self.dedupe is not None:
            batch.keys = batch.keys or []
            batch.keys.append(key)
        if ack is not None:
            batch.acks = batch.acks or []
            batch.acks.append((len(batch.payloads) - 1, ack))

    def take_batch(self) -> Deliver | None:
        """Give the batch, and begin another."""
        batch, self.batch = self.batch, None
        if batch is not None and not self.plain:
            batch.kinds = None if self.kinds is None else bytes(self.kinds)
            self.kinds = None
            self.plain = self.dedupe is None
        return batch


class Captures:
    """What a rule or a step sets and keeps, prepared."""

    __slots__ = ("_all", "take")

    take: Callable[[Part, Any, Scope], None]
    """Sets and keeps variables, from a message or an answer.

    Raises:
        CaptureFailed: a path has no value there, a template cannot be filled, or a value is too large.
    """

    def __init__(self, declared: Rule | Step | Alternative) -> None:
        self._all = tuple(
            _capture(name, source, keep)
            for keep, sources in ((False, declared.set), (True, declared.keep))
            for name, source in sources.items()
        )
        self.take = self._all[0] if len(self._all) == 1 else self._take_all

    def __bool__(self) -> bool:
        return bool(self._all)

    def _take_all(self, part: Part, value: Any, scope: Scope) -> None:
        for capture in self._all:
            capture(part, value, scope)


def _capture(name: str, source: Assigned, keep: bool) -> Callable[[Part, Any, Scope], None]:
    """Make the function that sets or keeps one variable; called for every message."""
    get = source.get if isinstance(source, JsonPath) else None

    def capture(part: Part, value: Any, scope: Scope) -> None:
        found = _filled(name, source, {**scope, "msg": value}) if get is None else get(value)
        if found.__class__ is not int or name not in part.variables:
            _check(part, name, source, found, value)
        part.assign(name, found, keep)

    return capture


def _filled(name: str, source: Assigned, scope: Scope) -> Any:
    try:
        return source.render(scope) if isinstance(source, JsonTemplate) else ABSENT
    except TemplateError as error:
        raise CaptureFailed(f"{name!r}: {error}") from None


def _check(part: Part, name: str, source: Assigned, found: Any, value: Any) -> None:
    if found is ABSENT:
        why = "; the answer is not JSON" if isinstance(value, (str, bytes)) else ""
        raise CaptureFailed(f"{name!r}: there is nothing at {getattr(source, 'source', 'its template')}{why}")
    if not isinstance(found, str) or len(found) > _LARGEST >> 2:
        _check_size(name, found)
    if len(part.variables) >= _MOST and name not in part.variables:
        raise CaptureFailed(f"{name!r}: over {_MOST} values are set or kept")


def _check_size(name: str, value: Any) -> None:
    if isinstance(value, bytes):
        raise CaptureFailed(f"{name!r}: the value is bytes; capture it with '{{msg...:base64}}'")
    try:
        size = len(encode_json(value))
    except (ValueError, TypeError, RecursionError):
        raise CaptureFailed(f"{name!r}: the value cannot be written as JSON") from None
    if size > _LARGEST:
        raise CaptureFailed(f"{name!r}: the value is larger than 64KiB")
