"""One attempt: tokens, a place in the endpoint's connect budget, the dial, and redirects within the origin."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from wscli.clock import Clock
from wscli.config.plan import ChannelPlan
from wscli.core.events import Failure, FailureKind
from wscli.daemon.upstream.budget import ConnectBudget, Ticket
from wscli.daemon.upstream.scrub import scrub_steps, scrubbed, secrets_of
from wscli.daemon.upstream.target import make_target, redirected
from wscli.errors import ConfigError
from wscli.tokens.broker import Broker
from wscli.tokens.errors import TokenFailed
from wscli.tokens.fetcher import BrokerToken
from wscli.transport.link import ConnectionListener, DialError, DialTarget, DialTimeline, Link

__all__ = ["AttemptRecord", "Dialer", "OpenLink"]

MAX_REDIRECTS = 5
MAX_TURNS = 2


class OpenLink(Protocol):
    """How a link is opened: the transport, or a scripted one."""

    def __call__(self, target: DialTarget, listener: ConnectionListener, timeline: DialTimeline) -> Awaitable[Link]:
        """Open one link, or raise ``DialError``."""


@dataclass(slots=True)
class AttemptRecord:
    """What is known of an attempt beside its link; ``doctor`` shows it."""

    started: float
    """Wall-clock time."""
    tokens: dict[str, int] = field(default_factory=dict)
    """Name and version of each token that went into it."""
    expires_at: float | None = None
    """When the first of them expires, on ``Clock.boottime``; None: never, or nobody knows."""
    timeline: DialTimeline = field(default_factory=DialTimeline)
    place: Ticket | None = None
    """Its place in the connect budget, while it waits for one."""
    failure: Failure | None = None
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """What went into it and is not to be seen."""


class Dialer:
    """Opens links for all channels."""

    def __init__(self, broker: Broker, budgets: Mapping[str, ConnectBudget], open_link: OpenLink, clock: Clock) -> None:
        self._broker = broker
        self._budgets = budgets
        self._open_link = open_link
        self._clock = clock

    async def dial(
        self,
        plan: ChannelPlan,
        params: Mapping[str, str],
        listener: ConnectionListener,
        record: AttemptRecord,
        progress: Callable[[str, str], None],
        *,
        lasting: float = 0.0,
    ) -> Link:
        """Open a link for a channel.

        ``progress`` is told a code and a text for each step that may take long. Tokens are renewed that would expire
        within ``lasting`` seconds.

        Raises:
            DialError: the dial failed.
            TokenFailed: a token could not be had.

        """
        url: str | None = None
        if lasting:
            await self._renew(plan, record, progress, self._clock.boottime() + lasting)
        for _ in range(MAX_REDIRECTS + 1):
            tokens = await self._admitted(plan, record, progress)
            try:
                target = make_target(plan.upstream.dial, params, tokens, url=url)
            except ConfigError as error:  # a file of tls, which may be on its way to being renewed
                raise DialError(Failure(FailureKind.TLS, error.message)) from None
            record.secrets = secrets_of(target, tokens.values())
            progress("dialling", f"dialling {plan.upstream.dial.shown_url}")
            try:
                return await self._open_link(target, listener, record.timeline)
            except DialError as error:
                url = redirected(target, error.failure)
                scrub_steps(record.timeline, record.secrets)
                if url is None:
                    raise DialError(scrubbed(error.failure, record.secrets)) from None
        raise DialError(Failure(FailureKind.STATUS, f"redirected more than {MAX_REDIRECTS} times", code=310))

    async def _admitted(
        self, plan: ChannelPlan, record: AttemptRecord, progress: Callable[[str, str], None]
    ) -> dict[str, str]:
        """Get the tokens, then a place; a token that was lost in the queue sends the attempt back for another.

        It is sent back once: where the queue outlasts the tokens, its second turn fetches them and dials.
        """
        tokens = await self._tokens(plan, record, progress)
        for _ in range(MAX_TURNS):
            await self._place(plan, record, progress)
            current = {name: self._current(name, token) for name, token in tokens.items()}
            good = {name: token for name, token in current.items() if token is not None}
            if len(good) == len(tokens):
                tokens = good
                break
            tokens = await self._tokens(plan, record, progress)
        record.tokens = {name: token.version for name, token in tokens.items()}
        record.expires_at = min((t.expires_at for t in tokens.values() if t.expires_at is not None), default=None)
        return {name: token.value.reveal() for name, token in tokens.items()}

    async def _renew(
        self, plan: ChannelPlan, record: AttemptRecord, progress: Callable[[str, str], None], until: float
    ) -> None:
        for name in sorted(plan.upstream.dial.token_names):
            progress("token", f"renewing token {name!r}")
            try:
                await self._broker.renew(name, until)
            except TokenFailed as error:
                record.timeline.add("token", 0.0, error.failure.text, ok=False)
                raise

    async def _tokens(
        self, plan: ChannelPlan, record: AttemptRecord, progress: Callable[[str, str], None]
    ) -> dict[str, BrokerToken]:
        tokens = {}
        for name in sorted(plan.upstream.dial.token_names):
            began = self._clock.monotonic()
            cached = self._broker.peek(name) is not None
            if not cached:
                progress("token", f"fetching token {name!r}")
            try:
                tokens[name] = await self._broker.get(name)
            except TokenFailed as error:
                record.timeline.add("token", self._clock.monotonic() - began, error.failure.text, ok=False)
                raise
            took = self._clock.monotonic() - began
            record.timeline.add("token", took, f"{name!r} {'from the cache' if cached else 'fetched'}")
        return tokens

    def _current(self, name: str, token: BrokerToken) -> BrokerToken | None:
        if not self._broker.single_use(name):
            return self._broker.peek(name)
        expired = token.expires_at is not None and token.expires_at <= self._clock.boottime()
        return None if expired else token

    async def _place(self, plan: ChannelPlan, record: AttemptRecord, progress: Callable[[str, str], None]) -> None:
        began = self._clock.monotonic()
        budget = self._budgets[plan.endpoint]
        place = budget.enter(critical=plan.critical)
        record.place = place
        try:
            if place.ahead:
                progress("budget", f"queued for the connect budget of endpoint {plan.endpoint!r} ({budget.rate})")
            await place.granted()
            record.timeline.add("budget", self._clock.monotonic() - began, f"{budget.rate} for {plan.endpoint!r}")
        finally:
            record.place = None
            place.leave()
