"""Whether a client of a shared channel is let in: the answer to its upgrade says what became of the upstream's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Sequence
from dataclasses import replace

from websockets.http11 import Response

from wscli.clock import Clock
from wscli.core.failures import Failure, FailureKind
from wscli.core.states import HOLDS_CONNECTION, SETTLED, ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.gateway.upgrade.refusals import UpgradeRefused, refusal_for_failure, refusal_for_now

__all__ = ["MARGIN", "READY_WITHIN", "negotiate"]

READY_WITHIN = 5.0
"""Seconds to wait for an upstream that was ready before, where the answer depends on it."""
MARGIN = 1.0
"""Seconds beside the connect timeout, so that the attempt ends with its own reason."""
S = ChannelState
_OVER = frozenset({S.FAILED, S.DONE})
_BY_HAND = frozenset({S.PAUSED, S.STOPPED})
_READY_OR_NEVER = SETTLED | {S.READY}
_ATTEMPT_OVER = SETTLED | {S.READY, S.WAITING, S.OFFLINE}
_ENDS = frozenset({FailureKind.CLOSE, FailureKind.KEEPALIVE, FailureKind.SILENCE, FailureKind.VIOLATION})
"""Failures of an open connection: the next attempt may well succeed."""


async def negotiate(channel: Channel, offered: Sequence[str], *, strict: bool, clock: Clock) -> str | None:
    """Give the upstream's subprotocol where the client offers it, or None.

    A channel that was not ready since it was opened is waited for until its attempt has an answer, for as long as a
    dial may take. In an outage later on a client is let in, unless it is strict or offers a subprotocol, for which the
    upstream is waited for.

    Args:
        channel: opened, if it is lazy.
        offered: the subprotocols that the client offers.
        strict: whether it is let in only while the upstream is ready.
        clock: the time.

    Raises:
        UpgradeRefused: there is no upstream; the answer says why.
    """
    if channel.state in _OVER:
        raise UpgradeRefused(_refusal(channel, clock))
    needed = strict or bool(offered)
    with channel.use():
        if _may_be_held(channel):
            if not needed:
                return None
            await _wait(channel, _READY_OR_NEVER, READY_WITHIN)
        else:
            await _wait(channel, _ATTEMPT_OVER, channel.plan.upstream.dial.timeout + MARGIN)
        connection = channel.connection
        if connection is None and (needed or not _may_be_held(channel)):
            raise UpgradeRefused(_refusal(channel, clock))
        subprotocol = None if connection is None else connection.subprotocol
        return subprotocol if subprotocol in offered else None


def _may_be_held(channel: Channel) -> bool:
    """Whether a client may be let in without an upstream: a person closed that, or it was there before an outage."""
    return channel.tracker.been_ready or channel.state in _BY_HAND


async def _wait(channel: Channel, states: Collection[ChannelState], seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await channel.wait_for(states)


def _refusal(channel: Channel, clock: Clock) -> Response:
    snapshot, name = channel.snapshot, channel.name
    text = f"channel {name!r} is {snapshot.state}: {snapshot.reason.text}"
    at = snapshot.next.at
    wait = None if at is None or snapshot.state is not S.WAITING else at - clock.wall()
    failure, record = snapshot.failure, channel.subscription.last_attempt
    if record is not None and record.place is not None:
        held = record.place.held
        return refusal_for_now(text, "try again later", retry_after=None if held is None else held[0])
    if snapshot.state in HOLDS_CONNECTION:
        failure = Failure(FailureKind.TIMEOUT, text)  # the attempt outlasts the dial: it waits for a token, say
    elif failure is None or (channel.tracker.been_ready and failure.kind in _ENDS):
        return refusal_for_now(text, "`wscli status` says what it waits for", retry_after=wait)
    exchanges = [] if record is None else record.shown_timeline().exchanges
    return refusal_for_failure(
        replace(failure, text=text), exchanges[-1] if exchanges else None, channel=name, retry_after=wait
    )
