"""A subscription: all that a channel sees of its upstream."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from wscli.core.events import CloseRequested, RedialRequested, ReplaceRequested, StartRequested, Unused, Used
from wscli.core.states import ChannelState, Snapshot
from wscli.daemon.upstream.attempts.attempt import Attempt
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.members.member import Member
from wscli.daemon.upstream.refs import Refs
from wscli.daemon.upstream.session.seam import AwaitedReply
from wscli.daemon.upstream.upstream import CLOSED, Upstream
from wscli.errors import NotSent
from wscli.transport.connection import Connection, WrittenAtOnce

__all__ = ["Subscription"]


class Subscription:
    """One channel's part of an upstream; what it brings is told to the ``Subscriber``."""

    __slots__ = ("member", "upstream")

    def __init__(self, upstream: Upstream, member: Member) -> None:
        self.member = member
        self.upstream = upstream
        upstream.subscribers.members.append(self.member)

    @property
    def snapshot(self) -> Snapshot:
        """The state of the upstream."""
        return self.upstream.snapshot

    @property
    def connection(self) -> Connection | None:
        """The open connection on which the channel is subscribed."""
        return self.upstream.roster.connection(self.member)

    @property
    def sendable(self) -> bool:
        """Whether a message can be handed over now: the connection is open, and has not lost its network."""
        return self.connection is not None and not self.snapshot.probing

    @property
    def has_neighbours(self) -> bool:
        """Whether other open channels share the upstream."""
        return any(one is not self.member for one in self.upstream.subscribers.joined())

    @property
    def healthy(self) -> bool:
        """Whether the upstream has been ready for ``reset_after``."""
        return self.upstream.healthy

    @property
    def refs(self) -> Refs:
        """The references of the upstream."""
        return self.upstream.refs

    @property
    def last_attempt(self) -> AttemptRecord | None:
        """What is known of the upstream's last attempt."""
        return self.upstream.attempts.last_record

    @property
    def successor(self) -> tuple[str, float] | None:
        """The state of a rotation's successor and its start, while there is one."""
        return self.upstream.attempts.describe_successor(self.upstream.snapshot)

    def join(self, event: Used | StartRequested) -> None:
        """Open the channel, and the upstream if need be; on one that is ready, the channel is subscribed at once."""
        self.member.joined = True
        self.upstream.feed(event)
        self.upstream.roster.subscribe(self.member)
        self.upstream.regulate()

    def resubscribe(self) -> None:
        """Unsubscribe the channel, if it is subscribed, and subscribe it anew; without effect where it is not open."""
        self.upstream.roster.resubscribe(self.member)

    def leave(self, *, by_hand: bool) -> None:
        """Close the channel, and the upstream if no other channel wants it.

        A wait of the upstream goes on, so that the next use does not dial sooner, unless the channel is left by hand.
        """
        was_ready = self.connection is not None
        self.upstream.subscribers.leave(self.member)
        over = not self.upstream.subscribers.wanted
        self.upstream.roster.leave(self.member, closes=over)
        if was_ready:
            self.member.subscriber.ended(CLOSED)
        self.upstream.regulate()
        if over:
            self.upstream.feed(CloseRequested() if by_hand else Unused(self.upstream.healthy_for))

    def forget_tokens(self) -> None:
        """Invalidate exactly the tokens that the channel's own steps used."""
        self.upstream.forget_tokens(self.member.tokens)

    def forget_kept(self) -> None:
        """Forget what the session keeps of the channel."""
        self.upstream.attempts.session.forget_channel(self.member)

    def look_again(self) -> None:
        """Resolve the name of the server again, if no route leads to the addresses that it had."""
        self.upstream.destination.look_again()

    def redial(self) -> None:
        """Close the connection by hand, and open another."""
        self.upstream.feed(RedialRequested("restarted by hand"))

    def rotate(self) -> None:
        """Open another connection by hand before the present one is closed; where none is ready, connect."""
        if not self.upstream.attempts.moving:  # else that is under way
            self.upstream.feed(ReplaceRequested("rotated by hand"))

    async def send(
        self,
        payload: bytes | Callable[[], bytes],
        *,
        binary: bool,
        left: Callable[[], float],
        over: Connection | None = None,
        reply: AwaitedReply | None = None,
    ) -> int:
        """Hand a message to the open connection, and give its size in bytes.

        Args:
            payload: the message, or a function that makes it as it is handed over. Text must be UTF-8.
            binary: whether it goes as a binary message.
            left: gives the seconds within which the write buffer must take it.
            over: a connection that is being prepared, and not ready yet.
            reply: is told the reply later, where the session declares which message that is.

        Raises:
            NotSent: the channel is not ready, or the connection ended or was busy until then: nothing was written.
            OutcomeUnknown: the connection ended, or the time was up, after the message was handed over.

        """
        if over is not None:  # what a hook says on each connection is not a program's message
            message = payload if isinstance(payload, bytes) else payload()
            await over.send(message, binary=binary, timeout=left())
            return len(message)
        carrier = self._carrier
        while carrier is not None:
            message = payload if isinstance(payload, bytes) else payload()
            carrier.sent = True
            try:
                return await carrier.session.send(self.member, message, binary=binary, timeout=left(), reply=reply)
            except NotSent:
                if reply is not None:
                    reply.forget()
                before, carrier = carrier, self._carrier
                if not left() or carrier is None or carrier is before:
                    raise
                # nothing was written, and the channel moved to another connection
        raise NotSent("the channel is not connected")

    def try_send(self, payload: bytes, *, binary: bool) -> WrittenAtOnce:
        """Write a message at once, unless it has to wait, as with a session each does. Text must be UTF-8."""
        carrier = self._carrier
        connection = None if carrier is None or carrier.session.receive is not None else carrier.connection
        if carrier is None or connection is None or self.snapshot.probing:
            return False
        carrier.sent = True
        with contextlib.suppress(NotSent):
            return connection.try_send(lambda: (payload, binary))
        return False

    @property
    def _carrier(self) -> Attempt | None:
        ready = self.member.joined and self.snapshot.state is ChannelState.READY
        return self.upstream.roster.carrier(self.member) if ready else None

    def lend(self, name: str, version: int) -> None:
        """Count a token as used by the channel, though no dial of its upstream used it."""
        self.upstream.attempts.lent[name] = version

    def hold(self, holds: bool) -> None:
        """Hold back reading, which pauses while every other channel of the upstream does too; or read on."""
        self.member.held = holds
        self.upstream.regulate()

    def cancel(self) -> None:
        """Give the subscription up, once the channel is closed; the upstream ends with its last one."""
        self.upstream.subscribers.members.remove(self.member)
        if (record := self.last_attempt) is not None and record.session is not None:
            record.session.forget(self.member.name)

    def move(self, upstream: Upstream) -> bool:
        """Go on with another upstream, since the configuration changed, and say whether that opens there."""
        joined = self.member.joined
        if joined:
            self.leave(by_hand=True)
        self.cancel()
        self.upstream = upstream
        upstream.subscribers.members.append(self.member)
        if joined:
            self.join(Used("redial", "the configuration changed"))
        self.member.subscriber.mirror(upstream.snapshot)
        return joined
