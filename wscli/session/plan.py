"""A session as it is declared, compiled: steps, rules, timers, routes. Frozen, and shared by every connection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from wscli.core.failures import Verdict
from wscli.session.frames import FramesPlan
from wscli.templates import JsonTemplate
from wscli.templates.paths import JsonPath
from wscli.templates.shapes import Shape
from wscli.tokens.sources.http import HttpSource
from wscli.values import Rate

__all__ = [
    "Alternative", "Assigned", "HttpAction", "Resume", "Route", "Rule", "RunAction", "SendAction", "SessionLimits",
    "SessionPlan", "SessionTimer", "Step",
]  # fmt: skip

Assigned = JsonPath | JsonTemplate
"""What ``set`` and ``keep`` take: from the message that matched, or a template."""


@dataclass(frozen=True, slots=True)
class SendAction:
    """A message to send."""

    message: JsonTemplate
    """A mapping or list is sent as compact JSON, with ``frames.end`` after it; a text as it stands."""
    binary: bool = False
    """Whether it was declared as ``{binary: T}``."""


@dataclass(frozen=True, slots=True)
class HttpAction:
    """An HTTP call; its JSON answer is what the step's ``expect``, ``set`` and ``keep`` see."""

    source: HttpSource
    accept: frozenset[int] = frozenset()
    """Statuses beside 2xx that are answers too."""


@dataclass(frozen=True, slots=True)
class RunAction:
    """A command, without a shell; its JSON answer is what the step's ``expect``, ``set`` and ``keep`` see."""

    argv: tuple[JsonTemplate, ...]
    stdin: JsonTemplate | None = None


@dataclass(frozen=True, slots=True)
class Alternative:
    """One answer that a step may get."""

    match: Shape
    set: Mapping[str, Assigned] = field(default_factory=dict)
    keep: Mapping[str, Assigned] = field(default_factory=dict)
    drop: bool = True
    """False: the answer flows on like any message."""
    resumed: bool = False
    """Whether it says that the server sends what was missed, so that there is no gap."""
    then: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One step; without an action it waits, or only sets variables."""

    place: str
    """Where it stands, as in ``hello[1]``; a failure names it."""
    shown: str
    """What it does in a few words and without secrets, such as ``send connection_init``."""
    action: SendAction | HttpAction | RunAction | None = None
    when: tuple[tuple[str, str, Shape], ...] = ()
    """Namespace, name and shape of each variable that must fit, or else the step is skipped."""
    expect: tuple[Alternative, ...] = ()
    """The first that fits counts."""
    expected: str = ""
    """What it expects, as declared and without secrets, such as ``{type: connection_ack}``."""
    within: float = 10.0
    set: Mapping[str, Assigned] = field(default_factory=dict)
    keep: Mapping[str, Assigned] = field(default_factory=dict)
    tokens: frozenset[str] = frozenset()
    """The token sources that it names; they are asked for as it runs."""

    @property
    def waits(self) -> bool:
        """Whether it waits for a message of the connection; an HTTP call and a command have answers of their own."""
        return bool(self.expect) and (self.action is None or isinstance(self.action, SendAction))


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done about each message that fits."""

    match: Shape
    per_channel: bool
    """Whether it names ``{sub}``, ``{with}`` or ``{param}``, and so belongs to a channel."""
    place: str = "rules"
    """Where it stands, as in ``rules[1]``."""
    set: Mapping[str, Assigned] = field(default_factory=dict)
    keep: Mapping[str, Assigned] = field(default_factory=dict)
    send: SendAction | None = None
    do: tuple[Step, ...] = ()
    ack_logged: bool = False
    """Whether ``send`` goes out only once the message is committed to the channel's history."""
    drop: bool = False
    then: Verdict | Literal["gap"] | None = None


@dataclass(frozen=True, slots=True)
class SessionTimer:
    """A heartbeat, a watchdog or a renewal."""

    kind: Literal["every", "idle_in", "idle_out"]
    duration: JsonTemplate
    """Renders to a duration's text, such as ``25s`` or ``{var.beat}ms``; 0 or no value: the timer does not run."""
    per_channel: bool
    place: str = "timers"
    first_random: bool = False
    """Whether the first wait is multiplied by a random number from 0 to 1."""
    do: tuple[Step, ...] = ()
    otherwise: Verdict | None = None
    """Where a step of ``do`` fails, or with no ``do``; None: ``reconnect``."""


@dataclass(frozen=True, slots=True)
class Route:
    """Whose message it is, and what of it is shown."""

    match: Shape
    show: JsonPath | None = None
    """In place of the session's ``show``; None: that one."""
    order: JsonPath | None = None
    """A number that rises by one for each channel by itself."""


@dataclass(frozen=True, slots=True)
class Resume:
    """How a lost session is taken up again, used when every ``needs`` is kept."""

    needs: tuple[str, ...]
    hello: tuple[Step, ...] = ()
    subscribe_kept: bool = False
    """Whether channels that were ready on the lost connection need no subscription."""
    once: bool = False
    """Whether what was kept is forgotten once the dial's templates are filled."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Rates that the server allows; None: any."""

    send: Rate | None = None
    subscribe: Rate | None = None


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """A whole session."""

    before: tuple[Step, ...] = ()
    hello: tuple[Step, ...] = ()
    subscribe: tuple[Step, ...] = ()
    unsubscribe: tuple[Step, ...] = ()
    bye: tuple[Step, ...] = ()
    bye_within: float = 2.0
    resume: Resume | None = None
    rules: tuple[Rule, ...] = ()
    timers: tuple[SessionTimer, ...] = ()
    route: tuple[Route, ...] = ()
    """Empty: every message is every channel's."""
    show: JsonPath | None = None
    order: JsonPath | None = None
    outgoing: JsonTemplate | Literal["none"] | None = None
    """Wraps what a program sends; ``none``: nothing may be sent; None: sent as it stands."""
    outgoing_takes_binary: bool = False
    """Whether it has ``{msg:base64}``; other binary messages pass unwrapped."""
    merge: JsonTemplate | None = None
    reply: Shape | None = None
    limits: SessionLimits = SessionLimits()
    close: int = 1000
    """The code of our closes where resume state is kept."""
    frames: FramesPlan = field(default_factory=FramesPlan)
    upstream_values: frozenset[tuple[str, str]] = frozenset()
    """Namespace and name of each ``{with}`` and ``{param}`` that the upstream's own steps, rules and timers name:
    channels share a connection only where these are equal."""

    @property
    def upstream_steps(self) -> tuple[Step, ...]:
        """The steps that are taken for the connection, not for a channel."""
        resume = () if self.resume is None else self.resume.hello
        return (*self.before, *self.hello, *resume, *self.bye, *self._done(per_channel=False))

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step."""
        return (*self.upstream_steps, *self.subscribe, *self.unsubscribe, *self._done(per_channel=True))

    def _done(self, *, per_channel: bool) -> tuple[Step, ...]:
        declared: tuple[Rule | SessionTimer, ...] = (*self.rules, *self.timers)
        return tuple(step for one in declared if one.per_channel == per_channel for step in one.do)
