"""The seam between an upstream and its session: what an attempt asks, and what it is told.

An upstream has one ``UpstreamSession`` for its life, and each of its attempts a ``ConnectionSession``: a successor has
one of its own beside that of the ready connection. The connection's session says when the connection is ready, and when
each channel is subscribed on it; a channel receives nothing before that. An attempt that ends calls ``end``; nothing is
told or asked after that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from wscli.config.plan import UpstreamPlan
from wscli.control.requests import Ref
from wscli.core.failures import Failure, Verdict
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.members.member import Member
from wscli.daemon.upstream.members.subscribers import Subscribers
from wscli.daemon.upstream.refs import Refs
from wscli.daemon.upstream.services import Services
from wscli.errors import WscliError
from wscli.session.actions import Deliver
from wscli.transport.connection import Connection

__all__ = [
    "AwaitedReply", "ConnectionSession", "MakeSession", "SessionFailed", "SessionListener", "SessionOwner",
    "UpstreamSession",
]  # fmt: skip


class SessionOwner(Protocol):
    """An upstream, as its session sees it; a reload may change all but ``refs``."""

    plan: UpstreamPlan
    params: Mapping[str, str]
    """Of the channel that the upstream was made for; those that its dial and its session name are all channels'."""
    values: Mapping[str, Any]
    """The same channel's ``with``, filled."""
    refs: Refs
    subscribers: Subscribers
    """Its channels."""


class SessionListener(Protocol):
    """What a connection's session tells its upstream; each call may come at any time before ``end``."""

    def ready(self, *, resumed: bool) -> None:
        """Channels may be subscribed: ``hello`` or ``resume`` is over."""

    def progressed(self, text: str) -> None:
        """A step of ``before``, ``hello`` or ``resume`` waits now."""

    def judged(self, verdict: Verdict | None, failure: Failure) -> None:
        """Carry out a verdict on the connection; None: as the declared tables say."""

    def subscribed(self, member: Member, *, resumed: bool) -> None:
        """The channel is subscribed; without ``resumed`` it may have missed messages."""

    def subscribing(self, member: Member, text: str) -> None:
        """A step of the channel's ``subscribe`` waits now."""

    def refused(self, member: Member, verdict: Verdict | None, failure: Failure) -> None:
        """Carry out a verdict on the channel's subscription, subscribed or not; None: as the declared tables say.

        The session has dropped the channel, and tells nothing more of it until ``join``.
        """

    def unsubscribed(self, member: Member) -> None:
        """What ``unsubscribe`` declares is sent, or need not be; no message of the channel follows."""

    def deliver(self, member: Member, delivery: Deliver, logged: Callable[[int], None]) -> None:
        """Hand messages to a channel; ``logged`` takes the number of each of its ``acks``, at once or later."""

    def gap(self, member: Member, reason: str, missed: int | None) -> None:
        """Record a gap of the channel."""


@dataclass(slots=True, eq=False)
class AwaitedReply:
    """A reply that a program waits for; whoever made it calls ``forget`` once it does not."""

    replied: Callable[[bytes, bool], None]
    """Called with the reply, and whether it is binary, in its place among the messages that arrive; once at most."""
    lost: Callable[[], None]
    """Called where the connection ended before the reply."""
    ref: Ref | None = None
    """What the references in the program's message became."""
    private: bool = False
    """Whether the reply is for this program alone.

    Then an id in the message stands for the program's own: it is replaced by one that is unique on the connection, and
    put back in the reply. A message to which there is no reply may be sent as well.
    """
    forget: Callable[[], None] = lambda: None


class ConnectionSession(Protocol):
    """The session of one attempt."""

    @property
    def receive(self) -> Callable[[list[bytes], bytes | None], None] | None:
        """Called with every batch of messages from the upgrade on.

        None: there is no session; messages are handed to the channels as they are, once the connection is ready.
        """

    @property
    def close_code(self) -> int:
        """The code with which we close the connection."""

    async def prepare(self) -> Mapping[str, Any]:
        """Run ``before``, and give the variables for the dial's templates.

        Raises:
            SessionFailed: a step failed.

        """

    def open(self, connection: Connection) -> None:
        """Begin ``hello`` or ``resume`` on the open connection."""

    def join(self, member: Member) -> None:
        """Subscribe a channel; called only after ``ready``, the critical channels first."""

    def leave(self, member: Member) -> None:
        """Unsubscribe a channel, or give its subscription up."""

    async def send(
        self, member: Member, payload: bytes, *, binary: bool, timeout: float | None, reply: AwaitedReply | None = None
    ) -> int:
        """Hand a program's message to the connection, and give the size of what was written in bytes.

        ``reply`` is told the server's reply later, as the session declares it.

        Raises:
            NotSent: nothing was written: it may not be sent, or the connection ended or was busy until then.
            OutcomeUnknown: the connection ended, or the time was up, after the message was handed over.

        """

    async def bye(self) -> None:
        """Run ``bye``, before a close after which we do not come back; bounded by its own deadline."""

    def held(self, *, held: bool) -> None:
        """Reading is paused, or goes on: time in which it is paused counts for no timer."""

    def end(self) -> None:
        """Stop everything at once: the connection ended, or its attempt was given up."""


class UpstreamSession(Protocol):
    """The session of an upstream, through all of its connections."""

    def attempt(self, record: AttemptRecord, listener: SessionListener) -> ConnectionSession:
        """Make the session of an attempt; the versions of the tokens that it uses go into ``record.tokens``.

        Those that a channel's own steps use go into ``Member.tokens``.
        """

    def forget(self) -> None:
        """Forget what the session could be resumed with, and what its channels keep."""

    def forget_channel(self, member: Member) -> None:
        """Forget what one channel keeps."""


MakeSession = Callable[[SessionOwner, Services], UpstreamSession]


class SessionFailed(WscliError):
    """A step of ``before`` failed; ``verdict`` None: as the declared tables say."""

    def __init__(self, failure: Failure, verdict: Verdict | None = None) -> None:
        super().__init__(failure.text)
        self.failure = failure
        self.verdict = verdict
