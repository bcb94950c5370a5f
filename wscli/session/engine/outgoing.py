"""Messages that leave: what a step, a rule, a timer or a program sends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from wscli.errors import NotSent
from wscli.jsontext import decode_any
from wscli.session.actions import ChannelSession, MessageRefused, SessionAction
from wscli.session.engine.core import Core
from wscli.session.engine.parts import Part
from wscli.session.frames import Unit, encode_message
from wscli.session.plan import SendAction
from wscli.session.request_ids import OwnId, RequestIds
from wscli.templates import JsonTemplate, TemplateError
from wscli.templates.filters import now
from wscli.templates.paths import ABSENT
from wscli.timing import RESOLUTION
from wscli.values import Rate

__all__ = ["AskedReply", "LetOut", "Outbound", "OutgoingMessage", "RateWindow", "RefSource", "masked"]

_MASK: dict[str, int | str] = {"int": 0, "str": "0", "uuid": "00000000-0000-0000-0000-000000000000"}
_SEE = "`wscli explain endpoints.session.outgoing` says what the session makes of a message"
_REPEATED = "put it where the server's answer has it, or give --match"
_MOST_TIMES = 10_000
"""Times that are remembered; a rate of more events is the same rate over a shorter stretch."""
_RESERVED = 20
"""One of so many events is kept for the session's own messages, so that programs do not delay a heartbeat."""


class RateWindow:
    """When the next event is allowed; no stretch of ``seconds`` has more than ``events``."""

    __slots__ = ("_events", "_reserved", "_seconds", "_times")

    def __init__(self, rate: Rate | None, *, reserve: bool = False) -> None:
        self._events, self._seconds = (0, 0.0) if rate is None else rate
        if self._events > _MOST_TIMES:
            self._events, self._seconds = _MOST_TIMES, self._seconds * _MOST_TIMES / self._events
        self._reserved = self._events // _RESERVED if reserve else 0
        self._times: deque[float] = deque()

    def wait(self, now: float, *, reserved: bool = True) -> float:
        """Give the seconds until the next event; ``reserved``: it may take what is kept for the session's own."""
        if not self._events:
            return 0.0
        times = self._times
        while times and times[0] <= now - self._seconds + RESOLUTION:
            times.popleft()
        allowed = self._events if reserved else self._events - self._reserved
        return 0.0 if len(times) < allowed else times[len(times) - allowed] + self._seconds - now

    def count(self, now: float) -> None:
        """Count an event."""
        if self._events:
            self._times.append(now)


AskedReply = Literal["wanted", "private"]
"""``private``: the reply is for its sender alone, and has the id that its sender gave the message."""


class RefSource(Protocol):
    """Where references are drawn: one counter an upstream."""

    def draw(self, kind: str) -> int | str:
        """Give a fresh one of the kind ``int``, ``str`` or ``uuid``."""


class _Drawn:
    """``{ref.int}`` and its like of one message: drawn at the first use, and the same at each further one."""

    __slots__ = ("_refs", "ref")

    def __init__(self, refs: RefSource, ref: Any) -> None:
        self._refs = refs
        self.ref = ref

    def get(self, kind: str, default: Any = None) -> Any:
        if self.ref is None and kind in _MASK:
            self.ref = self._refs.draw(kind)
        return default if self.ref is None else self.ref

    def each(self, kinds: Iterable[str | None]) -> tuple[int | str | None, ...]:
        """Draw one of each kind, None for None: they are the message's together."""
        drawn = self.ref = tuple(None if kind is None else self._refs.draw(kind) for kind in kinds)
        return drawn


class _Masks:
    def draw(self, kind: str) -> int | str:
        return _MASK[kind]


@dataclass(slots=True, eq=False)
class OutgoingMessage:
    """A message that waits to be let out."""

    channel: ChannelSession | None
    by_user: bool
    """Whether a program sent it; those go after the session's own."""
    urgent: bool = False
    """Whether a rule or a timer sent it; those go before all others."""
    ref: Any = None
    """The reference that was drawn for it, or a tuple of those of a batch; None: not yet, or it has none."""
    reply: AskedReply | None = None
    """Whether ``Reply`` is wanted, and for its sender alone."""
    own_id: OwnId | None = None
    """The id that its sender gave it, where the reply is to have that again."""
    said: Any = None
    """What a program said, decoded, where its reply is told by that."""
    cancelled: bool = False
    """Whether the step that it belongs to was stopped; it is not sent then."""
    render: Callable[[Any], Unit] = field(default=lambda _: Unit(b"", False), repr=False)
    """Takes the namespace ``ref``."""
    written: Callable[[OutgoingMessage], None] | None = field(default=None, repr=False)
    """Called as it is let out, before it is written."""
    failed: Callable[[str], None] | None = field(default=None, repr=False)
    """Called with the reason why it could not be."""


@dataclass(frozen=True, slots=True, repr=False)
class LetOut:
    """What to write now; ``payload`` None: nothing, for the reason that ``problem`` says."""

    payload: bytes | None
    binary: bool = False
    actions: list[SessionAction] = field(default_factory=list)
    """To be carried out once the write has begun."""
    problem: str = ""


class Outbound:
    """Renders what leaves, and counts it."""

    def __init__(self, core: Core, refs: RefSource) -> None:
        self._core = core
        self._refs = refs
        sends = any(rule.send or rule.do for rule in core.plan.rules) or any(timer.do for timer in core.plan.timers)
        self._pace = RateWindow(core.plan.limits.send, reserve=sends)
        self._frames = core.plan.frames
        self.ids = RequestIds(core.plan)
        leaves = () if core.plan.reply is None else core.plan.reply.equalities
        self._told_by = [leaf for leaf in leaves if "msg" in leaf.spaces]
        """What of a program's message its reply has."""
        self.last = core.clock.monotonic()
        """When the last message was let out."""

    def send(
        self,
        part: Part,
        action: SendAction,
        scope: Mapping[str, Any],
        written: Callable[[OutgoingMessage], None],
        failed: Callable[[str], None],
        *,
        urgent: bool,
    ) -> OutgoingMessage:
        """Have a message of the session let out, filled only then."""

        def render(ref: Any) -> Unit:
            return self.rendered(action, {**scope, "ref": ref})

        message = OutgoingMessage(
            part.channel, by_user=False, urgent=urgent, render=render, written=written, failed=failed
        )
        self._core.send(message)
        return message

    def prepared(self, part: Part, action: SendAction, scope: Mapping[str, Any]) -> OutgoingMessage:
        """Fill a message now, but for its references.

        Raises:
            TemplateError: it cannot be filled.
        """
        if not any(space == "ref" for space, _ in action.message.references):
            unit = self.rendered(action, scope)
            return OutgoingMessage(part.channel, by_user=False, urgent=True, render=lambda _: unit)
        frozen = {space: dict(names) if space in ("var", "sub") else names for space, names in scope.items()}
        self.rendered(action, {**frozen, "ref": _MASK})
        return OutgoingMessage(
            part.channel,
            by_user=False,
            urgent=True,
            render=lambda ref: self.rendered(action, {**frozen, "ref": ref}),
        )

    def rendered(self, action: SendAction, scope: Mapping[str, Any]) -> Unit:
        """Give the bytes of a message."""
        value = action.message.render(scope)
        if value is ABSENT:
            raise TemplateError("the message is left out by its own default")
        unit = encode_message(self._frames, value)
        return Unit(unit.payload, True) if action.binary else unit

    def wrap(self, part: Part, payload: bytes, *, binary: bool, ref: Any, reply: AskedReply | None) -> OutgoingMessage:
        """Make what a program sends into a message.

        Raises:
            NotSent: it cannot be sent.
        """
        plan = self._core.plan
        if plan.outgoing == "none":
            raise MessageRefused("the session allows no messages from programs (outgoing: none)", _SEE)
        value = self._value(payload, binary=binary, private=reply == "private")
        own_id = self.ids.of(value) if reply == "private" else None
        render = self._program_render(part, payload, value, own_id, binary=binary)
        trial = _Drawn(_Masks(), ref)
        try:
            render(trial)
        except TemplateError as error:
            raise NotSent(f"the message cannot be wrapped: {error}", _SEE) from None
        said = decode_any(payload) if reply is not None and self._told_by else None
        if reply is not None and (problem := self._untold(part, said, trial.ref)):
            if reply != "private":
                raise NotSent(f"no reply can be told: the message {problem}", _REPEATED)
            reply = None  # there is none, or nothing tells it
        return OutgoingMessage(
            part.channel, by_user=True, ref=ref, reply=reply, own_id=own_id, said=said, render=render
        )

    def _untold(self, part: Part, said: Any, ref: Any) -> str:
        """Say what a program's message lacks to have its reply told from others; '': nothing."""
        if not self._told_by:
            return "has no reference, such as '{ref.int}'" if ref is None else ""
        scope = {**part.scope, "msg": said, "sent": {"ref": ref}}
        lacks = next((leaf.wanted.source for leaf in self._told_by if leaf.key(scope) is ABSENT), None)
        return "" if lacks is None else f"has nothing for '{lacks}'"

    def _value(self, payload: bytes, *, binary: bool, private: bool) -> Any:
        """Decode what a program sends, where something of it is needed; ``ABSENT``: it is sent as it is."""
        plan = self._core.plan
        if binary and plan.outgoing is not None:
            return payload if isinstance(plan.outgoing, JsonTemplate) and plan.outgoing_takes_binary else ABSENT
        if binary:  # only a request has something that must be replaced: some libraries send JSON so
            value = decode_any(payload) if private else ABSENT
            return ABSENT if self.ids.of(value) is None else value
        needed = plan.outgoing is not None or plan.merge is not None or (private and self.ids.replaces)
        return decode_any(payload) if needed else ABSENT

    def _program_render(
        self, part: Part, payload: bytes, value: Any, own_id: OwnId | None, *, binary: bool
    ) -> Callable[[Any], Unit]:
        plan = self._core.plan
        outgoing = plan.outgoing if isinstance(plan.outgoing, JsonTemplate) else None
        replaces = own_id is not None and self.ids.replaces
        if value is ABSENT or (outgoing is None and plan.merge is None and not replaces):
            unit = Unit(payload, binary or self._frames.send == "binary")
            return lambda _: unit

        def render(ref: Any) -> Unit:
            message = value if own_id is None or not replaces else self.ids.replaced(value, own_id, ref)
            scope = {**part.scope, "msg": message, "ref": ref}
            whole = message if outgoing is None else outgoing.render(scope)
            if plan.merge is not None:
                if not isinstance(whole, dict):
                    raise MessageRefused(
                        "the message must be a JSON object: the session adds keys to it (merge)",
                        "send an object, such as {}",
                    )
                whole = {**whole, **plan.merge.render(scope)}
            unit = encode_message(self._frames, whole, outgoing=outgoing is not None)
            return Unit(unit.payload, (binary and outgoing is None) or unit.binary)

        return render

    def wait(self, message: OutgoingMessage) -> float:
        """Give the seconds until ``limits.send`` allows the message."""
        return self._pace.wait(self._core.clock.monotonic(), reserved=not message.by_user)

    def let_out(self, message: OutgoingMessage) -> tuple[Unit | None, str]:
        """Render a message and count it; without one, give the reason why not."""
        self._core.sent(message)
        if message.cancelled:
            return None, ""
        drawn = _Drawn(self._refs, message.ref)
        try:
            unit = message.render(drawn)
        except (TemplateError, NotSent) as error:
            if message.failed is not None:
                message.failed(str(error))
            return None, str(error)
        del message.render  # it holds what was sent, and the message may wait for its reply for ever
        message.ref = drawn.ref
        self.last = self._core.clock.monotonic()
        self._pace.count(self.last)
        if message.written is not None:
            message.written(message)
        return unit, ""


def masked(scope: Mapping[str, Any]) -> dict[str, Any]:
    """Give the scope with every reference and time the same, so that two channels' subscribes can be compared."""
    sub = {**scope.get("sub", {}), "ref": 0}
    return {**scope, "sub": sub, "sent": {"ref": 0}, "ref": _MASK, "now": now(0.0)}
