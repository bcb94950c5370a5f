"""A dial: tokens, a place in the endpoint's connect budget, the connection, and redirects within the origin."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from wscli.clock import Clock
from wscli.config.plan import UpstreamPlan
from wscli.core.failures import Failure, FailureKind
from wscli.daemon.upstream.dial.budget import ConnectBudget, Ticket
from wscli.daemon.upstream.dial.descriptors import DescriptorLimit
from wscli.daemon.upstream.dial.scrub import scrubbed, scrubbed_timeline, secrets_of, secrets_of_variables
from wscli.daemon.upstream.dial.steps import SteppedAt, StepTrace
from wscli.daemon.upstream.dial.target import make_target, redirected
from wscli.errors import ConfigError
from wscli.net.retry_after import capped
from wscli.templates import Scope
from wscli.tokens.broker import Broker
from wscli.tokens.errors import TokenFailed
from wscli.tokens.fetcher import BrokerToken
from wscli.transport.connection import Connection, ConnectionListener, DialError, DialTarget, DialTimeline

__all__ = ["CLOSE_DEADLINE", "AttemptRecord", "DialRequest", "Dialer", "OpenConnection"]

CLOSE_DEADLINE = 1.0
"""Seconds that a close handshake may take before the connection is dropped."""
MAX_REDIRECTS = 5
MAX_TURNS = 2


OpenConnection = Callable[[DialTarget, ConnectionListener, DialTimeline], Awaitable[Connection]]
"""Opens one connection, or raises ``DialError``: the transport, or a scripted one."""


@dataclass(slots=True)
class AttemptRecord:
    """What is known of an attempt beside its connection; ``doctor`` shows it."""

    started: float
    """Wall-clock time."""
    tokens: dict[str, int] = field(default_factory=dict)
    """Version of each token that it used, by name."""
    expires_at: float | None = None
    """When the first of them expires, on ``Clock.boottime``; None: never, or unknown."""
    timeline: DialTimeline = field(default_factory=DialTimeline, repr=False)
    """It may hold secrets; ``shown_timeline`` does not."""
    place: Ticket | None = None
    """Its place in the connect budget, while it waits for one."""
    failure: Failure | None = None
    session: StepTrace | None = field(default=None, repr=False)
    """The steps of its session, where one is declared."""
    keepers: tuple[Callable[[], tuple[str, ...]], ...] = field(default=(), repr=False)
    """Give the secrets of each URL that was dialled; called when they are needed, as few attempts fail."""

    def find_secrets(self) -> tuple[str, ...]:
        """Give the texts that must not be shown, the longest first."""
        return tuple(sorted({text for keeper in self.keepers for text in keeper()}, key=len, reverse=True))

    def scrubbed(self, failure: Failure) -> Failure:
        """Give a failure of this attempt without secrets."""
        return scrubbed(failure, self.find_secrets())

    def shown_timeline(self) -> DialTimeline:
        """Give the timeline without secrets."""
        return scrubbed_timeline(self.timeline, self.find_secrets())

    def shown_session(self, channel: str) -> list[SteppedAt]:
        """Give the steps of its session that are the connection's or the channel's, without secrets."""
        return [] if self.session is None else self.session.shown(channel, self.find_secrets())


@dataclass(frozen=True, slots=True)
class DialRequest:
    """What to dial."""

    plan: UpstreamPlan
    params: Mapping[str, str]
    critical: bool = True
    """Whether it goes before those that are not, in the queue of the connect budget."""
    lasting: float = 0.0
    """Seconds that each token is to last at least: one that does not is renewed first."""
    by_hand: bool = False
    """Whether a person asked for it: neither a wait of its endpoint nor one of a token source's backoff applies."""
    prepare: Callable[[], Awaitable[Mapping[str, Any]]] | None = None
    """Gives the variables of the dial's templates, once it is the dial's turn; it may raise ``SessionFailed``."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """Of ``with``, filled."""
    subprotocols: tuple[str, ...] | None = None
    """What a client offers, in place of the plan's; those of the plan with a placeholder stay, behind them."""


class Dialer:
    """Opens connections for all upstreams."""

    def __init__(
        self,
        broker: Broker,
        budgets: Mapping[str, ConnectBudget],
        descriptors: DescriptorLimit,
        open_connection: OpenConnection,
        clock: Clock,
    ) -> None:
        self._broker = broker
        self._budgets = budgets
        self._descriptors = descriptors
        self._open_connection = open_connection
        self._clock = clock

    async def dial(
        self,
        request: DialRequest,
        listener: ConnectionListener,
        record: AttemptRecord,
        progress: Callable[[str, str], None],
    ) -> Connection:
        """Open a connection.

        ``progress`` is called with a code and a text for each step that may take long.

        Raises:
            DialError: the dial failed.
            TokenFailed: a token source failed.
            SessionFailed: a step of the session that goes before the dial failed.

        """
        plan = request.plan
        url: str | None = None
        variables: Mapping[str, Any] = {}
        await self._descriptors.room(progress)
        if request.lasting:
            await self._renew(plan, record, progress, self._clock.boottime() + request.lasting)
        for _ in range(MAX_REDIRECTS + 1):
            tokens = await self._admitted(request, record, progress)
            if request.prepare is not None and url is None:
                variables = await request.prepare()
                record.keepers += (functools.partial(secrets_of_variables, tuple(variables.values())),)
            await self._descriptors.room(progress)
            scope = {"token": tokens, "param": request.params, "with": request.values, "var": variables}
            target = _target(request, scope, url)
            find = functools.partial(secrets_of, target, tuple(tokens.values()), plan.dial.secrets)
            record.keepers += (find,)  # after a redirect the secrets of the first URL count as well
            progress("dialling", f"dialling {plan.dial.shown_url}")
            budget = self._budgets[plan.endpoint]
            try:
                connection = await self._open_connection(target, listener, record.timeline)
            except DialError as error:
                url = redirected(target, error.failure)
                if url is None:
                    failure = record.scrubbed(error.failure)
                    failure = replace(failure, retry_after=capped(failure.retry_after, plan.retry_after_max))
                    budget.refused(failure, plan.backoff)
                    raise DialError(failure) from None
            else:
                budget.accepted()
                return connection
        raise DialError(Failure(FailureKind.STATUS, f"redirected more than {MAX_REDIRECTS} times", code=310))

    def held(self, endpoint: str) -> tuple[float, str] | None:
        """For how many seconds dials to an endpoint are held back, and why; None: they are not."""
        return self._budgets[endpoint].held

    def release(self, endpoint: str) -> None:
        """Hold back no dial of an endpoint any more: another server may be dialled now."""
        self._budgets[endpoint].release()

    async def _admitted(
        self, request: DialRequest, record: AttemptRecord, progress: Callable[[str, str], None]
    ) -> dict[str, str]:
        """Get the tokens, then a place in the queue; where a token was lost in the queue, do both again, once.

        Where the queue outlasts the tokens, the second turn fetches them and dials.
        """
        tokens = await self._tokens(request, record, progress)
        for _ in range(MAX_TURNS):
            await self._queue(request, record, progress)
            current = {name: self._current(name, token) for name, token in tokens.items()}
            good = {name: token for name, token in current.items() if token is not None}
            if len(good) == len(tokens):
                tokens = good
                break
            tokens = await self._tokens(request, record, progress)
        record.tokens |= {name: token.version for name, token in tokens.items()}  # its session may have used others
        ends = (record.expires_at, *(token.expires_at for token in tokens.values()))
        record.expires_at = min((one for one in ends if one is not None), default=None)
        return {name: token.value.reveal() for name, token in tokens.items()}

    async def _renew(
        self, plan: UpstreamPlan, record: AttemptRecord, progress: Callable[[str, str], None], until: float
    ) -> None:
        for name in sorted(plan.dial.token_names):
            progress("token", f"renewing token {name!r}")
            try:
                await self._broker.renew(name, until)
            except TokenFailed as error:
                record.timeline.add("token", 0.0, error.failure.text, ok=False)
                raise

    async def _tokens(
        self, request: DialRequest, record: AttemptRecord, progress: Callable[[str, str], None]
    ) -> dict[str, BrokerToken]:
        tokens = {}
        for name in sorted(request.plan.dial.token_names):
            began = self._clock.monotonic()
            cached = self._broker.peek(name) is not None
            if not cached:
                progress("token", f"fetching token {name!r}")
            try:
                tokens[name] = await self._broker.get(name, by_hand=request.by_hand)
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

    async def _queue(self, request: DialRequest, record: AttemptRecord, progress: Callable[[str, str], None]) -> None:
        began = self._clock.monotonic()
        endpoint = request.plan.endpoint
        budget = self._budgets[endpoint]
        place = budget.enter(critical=request.critical, by_hand=request.by_hand)
        record.place = place
        try:
            if (held := place.held) is not None:
                progress("held", f"endpoint {endpoint!r} is held back: {held[1]}")
            elif place.ahead:
                progress("budget", f"queued for the connect budget of endpoint {endpoint!r} ({budget.rate})")
            await place.granted()
            record.timeline.add("budget", self._clock.monotonic() - began, f"{budget.rate} for {endpoint!r}")
        finally:
            record.place = None
            place.leave()


def _target(request: DialRequest, scope: Scope, url: str | None) -> DialTarget:
    dial = request.plan.dial
    if request.subprotocols is not None:
        dial = replace(dial, subprotocols=tuple(one for one in dial.subprotocols if one.references))
    try:
        target = make_target(dial, scope, url=url)
        given = request.subprotocols or ()
        return replace(target, subprotocols=tuple(dict.fromkeys((*given, *target.subprotocols))))
    except ConfigError as error:  # a TLS file, which may be replaced later
        raise DialError(Failure(FailureKind.TLS, error.message)) from None
    except ValueError as error:
        raise DialError(Failure(FailureKind.SESSION, str(error), moment="before")) from None
