"""The clients of a channel that have an upstream of their own: who is let in, when they dial, and what ends them."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from shlex import quote
from typing import Any, Protocol

from wscli.config.plan import ChannelPlan
from wscli.control.messages.clients import OwnStats
from wscli.core.failures import Action, Failure, FailureKind
from wscli.core.states import ChannelState
from wscli.core.verdicts import decide
from wscli.daemon.channel.counters import Counters
from wscli.daemon.upstream.dial.budget import ConnectBudget
from wscli.daemon.upstream.dial.dialer import AttemptRecord, DialRequest
from wscli.daemon.upstream.own import OwnUpstream, OwnUpstreams
from wscli.daemon.upstream.services import Services
from wscli.errors import WscliError
from wscli.tokens.errors import TokenFailed
from wscli.transport.connection import DialError
from wscli.transport.frames.close_codes import CloseCode
from wscli.values import Rate, format_duration

__all__ = ["NotNow", "OwnClients"]

logger = logging.getLogger("wscli.upstream")

GRACE = 0.5
"""Seconds that a dial may take beyond the connect timeout, so that its own error comes first."""
PROBES = Rate(1, 1.0)
"""How often clients dial a server that their last dial did not reach, at most."""
_FREE = Rate(1000, 1.0)
STOPPED = "the manager was stopped"


class NotNow(WscliError):
    """A client gets no upstream at present; ``retry_after`` is in seconds, None where it is not known."""

    def __init__(self, message: str, hint: str, retry_after: float | None = None) -> None:
        super().__init__(message, hint)
        self.retry_after = retry_after


class OwningChannel(Protocol):
    """A channel, as its clients with own upstreams see it."""

    name: str
    plan: ChannelPlan
    params: Mapping[str, str]
    values: Mapping[str, Any]
    counters: Counters

    @property
    def state(self) -> ChannelState:
        """The state that ``status`` shows."""

    def unavailable(self) -> WscliError | None:
        """Why waiting for it is useless."""


class OwnClients:
    """The own upstreams of one channel's clients."""

    __slots__ = (
        "_channel", "_on_change", "_open", "_probes", "_reauth_from", "_services", "_upstreams", "last_attempt",
    )  # fmt: skip

    def __init__(
        self, channel: OwningChannel, services: Services, upstreams: OwnUpstreams, on_change: Callable[[], None]
    ) -> None:
        self._channel = channel
        self._services = services
        self._upstreams = upstreams
        self._on_change = on_change
        self._reauth_from = -math.inf
        """When a refused token may be dropped again, on ``Clock.monotonic``."""
        self.last_attempt: AttemptRecord | None = None
        """The record of the last dial for a client, for ``doctor``."""
        self._open: set[OwnUpstream] = set()
        self._probes: ConnectBudget | None = None
        """Paces the dials while they fail, so that clients in a tight loop do not hammer the server."""

    def __len__(self) -> int:
        return sum(not one.ended.done() for one in self._open)

    def stats(self) -> OwnStats:
        """Give the ``own`` of ``stats --json``."""
        return {
            "clients": len(self),
            "total": self._channel.counters.own["total"],
            "refused": self._channel.counters.own["refused"],
            "received": self._channel.counters.own["received"],
            "sent": self._channel.counters.own["sent"],
        }

    @contextmanager
    def upstream(
        self, offered: Sequence[str], receive: Callable[[list[bytes], bytes | None], None]
    ) -> Iterator[OwnUpstream]:
        """Give a client its upstream, which is closed behind the context; ``dial`` opens it.

        Args:
            offered: the client's subprotocols, each a token of RFC 9110.
            receive: takes the messages that arrive.

        Raises:
            NotNow: there is no room, or the server asked for a wait that is too long.
            WscliError: the channel is stopped, paused or removed.
        """
        self._channel.counters.count_own("total")
        try:
            self._admit()
        except WscliError:
            self._channel.counters.count_own("refused")
            raise
        channel = self._channel
        request = DialRequest(
            channel.plan.upstream,
            channel.params,
            channel.plan.critical,
            values=channel.values,
            subprotocols=tuple(offered) or None,
        )

        def received(payloads: list[bytes], kinds: bytes | None) -> None:
            channel.counters.count_own("received", len(payloads))
            receive(payloads, kinds)

        upstream = OwnUpstream(request, self._services, received, self._reauth)
        self._open.add(upstream)
        self._upstreams.open.add(upstream)
        self._on_change()
        try:
            yield upstream
        finally:
            self._open.discard(upstream)
            self._upstreams.close(upstream)
            if upstream.connection is not None and upstream.ended.done():
                self._log("close", upstream.ended.result().text)
            self._on_change()

    async def dial(self, upstream: OwnUpstream) -> None:
        """Open a client's upstream, within the connect timeout.

        Raises:
            NotNow: the connect budget, or the wait after a failed dial, let it not begin in time.
            DialError: the dial failed, or was given up.
            TokenFailed: a token source failed.
        """
        plan = self._channel.plan.upstream
        try:
            async with asyncio.timeout(plan.dial.timeout + GRACE) as upstream.deadline:
                await self._wait()
                await upstream.dial()
        except TimeoutError:
            self._channel.counters.count_own("refused")
            raise self._late(upstream) from None
        except (DialError, TokenFailed) as error:
            self._channel.counters.count_own("refused")
            self._failed(error.failure)
            raise
        finally:
            upstream.deadline = None
            self.last_attempt = upstream.record
        self._log("open", f"connected to {upstream.record.timeline.peer or 'the server'}")
        self._reached()

    def end(self, text: str, code: int = CloseCode.GOING_AWAY) -> None:
        """Close every client with this code and reason, and its upstream."""
        for one in tuple(self._open):
            one.give_up(Failure(FailureKind.CLOSE, text, code=code, by="us", close_reason=text))

    def follow(self, state: ChannelState) -> None:
        """Close every client where the channel is stopped or paused."""
        if state in (ChannelState.STOPPED, ChannelState.PAUSED):
            stopped = state is ChannelState.STOPPED
            self.end(
                f"channel {self._channel.name!r} is {state}",
                CloseCode.GOING_AWAY if stopped else CloseCode.TRY_AGAIN_LATER,
            )

    def shut(self, *, removed: bool) -> None:
        """Close every client: its channel is removed, or the manager stops."""
        self.end(f"channel {self._channel.name!r} was removed from the configuration" if removed else STOPPED)

    def restart(self) -> None:
        """Close every client, which may reconnect at once."""
        self.end(f"channel {self._channel.name!r} was restarted by hand", CloseCode.SERVICE_RESTART)

    def changed(self, before: ChannelPlan, values: Mapping[str, Any], *, tokens_changed: bool) -> None:
        """Close every client whose upstream a reload would dial otherwise; ``before`` and ``values`` are the old."""
        plan = self._channel.plan
        same = plan.upstream.dial.opens_the_same(before.upstream.dial) and values == self._channel.values
        if tokens_changed or not same or (before.clients != plan.clients and not plan.clients.own):
            self.end("the configuration changed", CloseCode.SERVICE_RESTART)
            self._reached()

    def _admit(self) -> None:
        channel, settled = self._channel, (ChannelState.FAILED, ChannelState.DONE)
        if channel.state not in settled and (error := channel.unavailable()) is not None:  # of its own upstream
            raise error
        if self._upstreams.full:
            text = f"the manager has {self._upstreams.most} clients with upstreams of their own, as many as it takes"
            raise NotNow(text, "raise gateway.max_clients")
        plan = channel.plan.upstream
        held = self._services.dialer.held(plan.endpoint)
        if held is not None and held[0] > plan.dial.timeout:
            raise self._held(*held)

    async def _wait(self) -> None:
        """Wait for the turn, where the last dial failed."""
        if self._probes is not None:
            ticket = self._probes.enter(critical=True)
            try:
                await ticket.granted()
            finally:
                ticket.leave()

    def _reauth(self, failure: Failure, tokens: Mapping[str, int]) -> bool:
        """Drop tokens where the verdict says so, once per ``reset_after``; say whether a dial would use others."""
        plan, broker, now = self._channel.plan.upstream, self._services.broker, self._services.clock.monotonic()
        verdict = decide(failure, plan.verdicts, token_used=bool(tokens))
        if verdict.action is not Action.REAUTH or not tokens:
            return False
        if now >= self._reauth_from:
            self._reauth_from = now + plan.backoff.reset_after
            for name, version in tokens.items():
                broker.invalidate(name, version)
            return True
        kept = {name: broker.peek(name) for name in tokens if not broker.single_use(name)}
        return any(token is None or token.version != tokens[name] for name, token in kept.items())

    def _reached(self) -> None:
        """Pace the dials no longer: the server is there, or it is another one."""
        if self._probes is not None:
            self._probes.rate, self._probes = _FREE, None
            self._log("reached", "the server is dialled without a wait again", logging.INFO)

    def _failed(self, failure: Failure) -> None:
        first = self._probes is None  # in a row
        event = "refused" if failure.kind is FailureKind.STATUS else "failed"
        self._log(event, f"not connected: {failure.text}", logging.INFO if first else logging.DEBUG)
        if first:
            self._probes = ConnectBudget(PROBES, self._services.clock, schedule=self._services.schedule)

    def _late(self, upstream: OwnUpstream) -> WscliError:
        """Give the error of a dial that was given up, or did not begin in time."""
        plan, hint = self._channel.plan.upstream, f"`wscli status {quote(self._channel.name)}` shows the channel"
        if upstream.ended.done():
            return NotNow(upstream.ended.result().text, hint)
        if upstream.dialling:
            failure = Failure(FailureKind.TIMEOUT, f"not connected within {format_duration(plan.dial.timeout)}")
            upstream.record.failure = failure
            self._failed(failure)
            return DialError(failure)
        held = self._services.dialer.held(plan.endpoint)
        if held is not None:
            return self._held(*held)
        text = f"no dial to endpoint {plan.endpoint!r} could begin within {format_duration(plan.dial.timeout)}"
        return NotNow(text, hint, PROBES.seconds)

    def _held(self, seconds: float, why: str) -> NotNow:
        endpoint = self._channel.plan.upstream.endpoint
        return NotNow(f"endpoint {endpoint!r} is held back: {why}", "try again later", seconds)

    def _log(self, event: str, text: str, level: int = logging.DEBUG) -> None:
        name = self._channel.name
        extra = {"channel": name, "event": f"own-{event}"}
        logger.log(level, "%s: a client's own upstream: %s", name, text, extra=extra)
