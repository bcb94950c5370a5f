"""Sending on a channel: wait until it is ready, hand the message over, count it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Protocol

from wscli.clock import Clock
from wscli.control.messages import Status
from wscli.control.text import state_text
from wscli.core.states import SETTLED, Snapshot
from wscli.daemon.channel.counters import Counters
from wscli.daemon.channel.state import StateTracker
from wscli.daemon.upstream.members.member import ConnectionHook
from wscli.daemon.upstream.session.seam import AwaitedReply
from wscli.daemon.upstream.sharing.subscription import Subscription
from wscli.errors import NotSent, OutcomeUnknown, WscliError
from wscli.transport.connection import WrittenAtOnce
from wscli.values import format_duration

__all__ = ["FLUSH_WITHIN", "check_text", "send_at_once", "send_message"]

FLUSH_WITHIN = 10.0
"""Seconds for the kernel to take a message that was written at once."""
_SEE_STATUS = "`wscli status` shows its present state"


class SendingChannel(Protocol):
    """What sending needs of a channel."""

    name: str
    counters: Counters
    subscription: Subscription
    on_connect: ConnectionHook | None
    tracker: StateTracker
    removed: bool

    @property
    def snapshot(self) -> Snapshot:
        """Its state, with its reason."""

    def use(self) -> AbstractContextManager[None]:
        """Hold it in use."""

    def status(self) -> Status:
        """Its state, with its reason."""

    def unavailable(self) -> WscliError | None:
        """Why waiting for it is useless."""


async def send_message(
    channel: SendingChannel,
    payload: bytes | Callable[[], bytes],
    clock: Clock,
    *,
    binary: bool,
    timeout: float,
    preparing: int | None = None,
    reply: AwaitedReply | None = None,
) -> None:
    """Hand a message to the open, ready connection of a channel.

    Args:
        channel: held in use meanwhile.
        payload: the message, or a function that makes it as it is handed over. Text must be UTF-8.
        clock: the time.
        binary: whether it goes as a binary message.
        timeout: seconds to wait for the channel to become ready, and for the write buffer to take the message.
        preparing: the number of the connection that ``on_connect`` prepares, if it sends this; once it is ready, or
            gone, the message goes the usual way.
        reply: is told the reply later, where the session declares which message that is.

    Raises:
        NotSent: it did not become ready in time, or no network led to the server and no pong came until then, or the
            connection ended or was busy: nothing was written.
        OutcomeUnknown: the connection ended, or the time was up, after the message was handed over.
        ChannelUnavailable: it is failed, done, stopped or paused.
        AuthError: it failed for its credentials.

    """
    end = clock.monotonic() + timeout
    with channel.use():
        hook = channel.on_connect
        connection = None if hook is None or preparing is None else hook.connection(preparing)
        if connection is None:
            await _until_ready(channel, timeout, clock)
        try:
            size = await channel.subscription.send(
                payload, binary=binary, left=lambda: max(0.0, end - clock.monotonic()), over=connection, reply=reply
            )
        except (NotSent, OutcomeUnknown) as error:
            raise type(error)(f"channel {channel.name!r}: {error.message}", error.hint or _SEE_STATUS) from None
        channel.counters.count_sent(size)


def send_at_once(channel: SendingChannel, payload: bytes, *, binary: bool) -> WrittenAtOnce:
    """Hand a message to the ready connection of a channel in this turn, unless it has to wait.

    Args:
        channel: held in use by the caller.
        payload: the message. Text must be UTF-8.
        binary: whether it goes as a binary message.
    """
    written = channel.subscription.try_send(payload, binary=binary)
    if written is not False:
        channel.counters.count_sent(len(payload))
    return written if isinstance(written, bool) else partial(_flushed, channel.name, written)


async def _flushed(name: str, flush: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(FLUSH_WITHIN):
            await flush()
    except OutcomeUnknown as error:
        raise OutcomeUnknown(f"channel {name!r}: {error.message}", _SEE_STATUS) from None
    except TimeoutError:
        within = format_duration(FLUSH_WITHIN)
        text = f"channel {name!r}: the server did not read the message within {within}"
        raise OutcomeUnknown(text, _SEE_STATUS) from None


async def _until_ready(channel: SendingChannel, timeout: float, clock: Clock) -> None:
    def settled() -> bool:
        return channel.subscription.sendable or channel.removed or channel.snapshot.state in SETTLED

    try:
        async with asyncio.timeout(timeout):
            while not channel.subscription.sendable:  # a connection may be lost before its waiter's turn
                await channel.tracker.wait_until(settled)
                if (unavailable := channel.unavailable()) is not None:
                    raise unavailable
    except TimeoutError:
        raise NotSent(
            f"channel {channel.name!r} was not ready within {format_duration(timeout)}:"
            f" {state_text(channel.status(), clock.wall())}",
            "`wscli status` says what it waits for",
        ) from None


def check_text(message: bytes, hint: str = "--binary sends bytes as they are") -> None:
    """Refuse what cannot be a text message.

    Raises:
        NotSent: it is not UTF-8.
    """
    try:
        message.decode()  # RFC 6455, section 5.6: a text message is UTF-8
    except UnicodeDecodeError as error:
        where = f"byte {error.start} of {len(message)} is 0x{message[error.start]:02x}"
        raise NotSent(f"the message is not UTF-8: {where}", hint) from None
