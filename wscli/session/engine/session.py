"""The session of one connection: its inputs, and where each goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from wscli.clock import Clock
from wscli.session.actions import Action, CallFailed, ChannelSession
from wscli.session.engine.memory import Memory
from wscli.session.engine.outgoing import LetOut, OutgoingMessage, RefSource
from wscli.session.plan import SessionPlan
from wscli.templates import Scope

__all__ = ["Session"]


class Session:
    """One connection's session. Each input returns the actions to carry out, in order.

    The order of a life: ``begin``, ``variables`` for the dial, ``dialling``, ``opened``, then the others, any number of
    times. After the connection's end it is thrown away; its successor gets the same ``Memory``.
    """

    def __init__(
        self,
        plan: SessionPlan,
        memory: Memory,
        scope: Scope,
        refs: RefSource,
        clock: Clock,
        chance: Random,
        *,
        shared: bool = False,
    ) -> None:
        """Make one for a dial.

        Args:
            plan: what is declared.
            memory: of the upstream.
            scope: ``param`` and ``with`` of the upstream: its channel's, or those that its shared channels have alike.
            refs: of the upstream.
            clock: for deadlines and ``{now}``.
            chance: for ``first: random``.
            shared: whether the endpoint has ``share``: only then a channel is judged by itself (``JudgeChannel``).

        """

    def begin(self) -> list[Action]:
        """Run ``before``; ``SessionReady`` says that the dial may begin."""
        raise NotImplementedError

    def variables(self) -> Mapping[str, Any]:
        """Give ``{var.x}`` for the dial's templates."""
        raise NotImplementedError

    def dialling(self) -> list[Action]:
        """Learn that the dial's templates are filled: ``resume`` with ``once`` forgets what was kept."""
        raise NotImplementedError

    def opened(self) -> list[Action]:
        """Run ``hello`` or what ``resume`` has in its place; ``SessionReady`` says that it is over."""
        raise NotImplementedError

    def received(self, payloads: Sequence[bytes], kinds: bytes | None) -> list[Action]:
        """Process the messages of one turn; the arguments are those of ``ConnectionListener.on_batch``."""
        raise NotImplementedError

    def join(self, channel: ChannelSession) -> list[Action]:
        """Subscribe a channel, at once or as ``hello`` is over and ``limits.subscribe`` allows.

        Channels that are wanted join before ``opened``: what arrives for them during ``hello`` is held for them.
        ``SubscriptionReady`` or ``JudgeChannel`` (``JudgeUpstream`` where not shared) says how it went.
        """
        raise NotImplementedError

    def leave(self, channel: ChannelSession) -> list[Action]:
        """Deliver nothing more to a channel, and unsubscribe it; ``Unsubscribed`` says that this is over."""
        raise NotImplementedError

    def bye(self) -> list[Action]:
        """Run ``bye`` before a close after which we do not come back; ``ByeOver`` says that it is over."""
        raise NotImplementedError

    def answered(self, number: int, answer: Mapping[str, str] | bytes | CallFailed) -> list[Action]:
        """Take the answer to a ``Call``; an unknown number changes nothing."""
        raise NotImplementedError

    def due(self, number: int) -> list[Action]:
        """Take a timer of ``SetTimer`` that is due; an unknown number changes nothing."""
        raise NotImplementedError

    def wrap(
        self,
        channel: ChannelSession,
        payload: bytes,
        *,
        binary: bool,
        ref: int | str | None = None,
        reply: bool = False,
    ) -> OutgoingMessage:
        """Make what a program sends into a message to let out.

        Args:
            channel: whose program it is.
            payload: what it sends.
            binary: whether as a binary message.
            ref: what its ``{ref.int}`` became, if it had one.
            reply: whether ``Reply`` is wanted; until ``forget`` where none arrives.

        Raises:
            NotSent: ``outgoing`` is ``none``, lacks a value, or ``merge`` needs a JSON object.

        """
        raise NotImplementedError

    def forget(self, message: OutgoingMessage) -> None:
        """Do not wait for the reply to a message any more."""

    def wait_to_send(self, message: OutgoingMessage) -> float:
        """Give the seconds until ``limits.send`` allows the message; 0: let it out now."""
        raise NotImplementedError

    def let_out(self, message: OutgoingMessage) -> LetOut:
        """Render a message that is written next, and count it."""
        raise NotImplementedError

    def not_sent(self, message: OutgoingMessage) -> list[Action]:
        """Learn that a message of the session was not written."""
        raise NotImplementedError

    def logged(self, number: int) -> list[Action]:
        """Learn that a message of ``Deliver.acks`` is committed, once for each channel."""
        raise NotImplementedError

    def hold(self, held: bool) -> None:
        """Learn that reading is paused, or resumed: time meanwhile counts for no deadline."""

    def waiting_for(self, channel: ChannelSession | None) -> str:
        """Give the step that a channel, or the upstream, waits for; empty: none."""
        raise NotImplementedError

    @property
    def close_code(self) -> int:
        """The code of a close by us: ``close`` where the session could be resumed, else 1000."""
        raise NotImplementedError

    @property
    def resuming(self) -> bool:
        """Whether the session is being resumed, or was."""
        raise NotImplementedError

    @property
    def unrouted(self) -> int:
        """How many messages no channel got."""
        raise NotImplementedError
