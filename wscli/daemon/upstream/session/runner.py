"""A declared session on one connection: the shell that carries out what the pure session decides."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVarTuple

from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.dial.steps import StepTrace
from wscli.daemon.upstream.members.member import Member
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.session.calls import Answer, SessionCalls
from wscli.daemon.upstream.session.relay import ChannelRelay, member_of
from wscli.daemon.upstream.session.seam import AwaitedReply, SessionFailed, SessionListener, SessionOwner
from wscli.daemon.upstream.session.sender import SessionSender
from wscli.session import actions as a
from wscli.session.engine.outgoing import OutgoingMessage
from wscli.session.engine.session import RunningSession
from wscli.session.engine.steps.waits import MOST_REPLIES
from wscli.timing import Timer
from wscli.transport.connection import Connection

__all__ = ["SessionRunner"]

logger = logging.getLogger("wscli.upstream")

MOST_UNOPENED = 16 << 20
"""Bytes that may arrive before the session is opened: a successor is pinged first."""

Input = Callable[[], Sequence[a.SessionAction]]
"""Tells the session something, and gives the actions to carry out."""
Given = TypeVarTuple("Given")


class SessionRunner:
    """The session of one attempt.

    Each input's actions are carried out before the next input, also where carrying them out causes that one. After
    ``end`` nothing is carried out any more, and no task or timer of it is left.
    """

    def __init__(
        self,
        session: RunningSession,
        owner: SessionOwner,
        services: Services,
        record: AttemptRecord,
        listener: SessionListener,
    ) -> None:
        self._session = session
        self._owner = owner
        self._services = services
        self._record = record
        self._listener = listener
        self._calls = SessionCalls(
            services, record, self._answered, _tokens_of, retry_after_max=owner.plan.retry_after_max
        )
        self._sender = SessionSender(session, services, self._carry_out, self._not_sent)
        self._inputs: deque[Input] = deque()
        self._busy = self._over = self._is_open = False
        self._timers: dict[int, Timer] = {}
        self._prepared: asyncio.Future[None] | None = None
        """Done once ``before`` is over; None outside of it."""
        self._bye: asyncio.Future[None] | None = None
        self._unopened: list[tuple[list[bytes], bytes | None]] = []
        """Messages that arrived before ``open``."""
        self._unopened_bytes = 0
        self._relay = ChannelRelay(listener, record, self._logged)
        self._replies: dict[OutgoingMessage, AwaitedReply] = {}
        self._carriers: dict[type[Any], Callable[[Any], None]] = {
            a.Send: lambda action: self._sender.add(action.message),
            a.Call: self._calls.start,
            a.SetTimer: self._set_timer,
            a.StepWaits: self._waits,
            a.Stepped: lambda action: self._trace.record(action, services.clock.wall()),
            a.SessionReady: self._ready,
            a.ByeOver: lambda action: _resolve(self._bye),
            a.Keep: lambda action: member_of(action.channel).subscriber.keep(action.kept),
            a.CountUnrouted: services.unrouted.count,
            a.JudgeUpstream: self._judge,
            a.Reply: self._reply,
            a.Deliver: self._relay.deliver,
            **dict.fromkeys(ChannelRelay.TOLD, self._relay.tell),
        }

    # what the upstream asks (seam.ConnectionSession)

    @property
    def close_code(self) -> int:
        """The code with which we close the connection."""
        return self._session.close_code

    async def prepare(self) -> Mapping[str, Any]:
        """Run ``before``, and give the variables for the dial's templates.

        Raises:
            SessionFailed: a step failed.
        """
        self._prepared = asyncio.get_running_loop().create_future()
        self._feed(self._session.begin)
        try:
            await self._prepared
        finally:
            self._prepared = None
        variables = dict(self._session.variables())
        self._feed(self._session.dialling)
        return variables

    def open(self, connection: Connection) -> None:
        """Begin ``hello`` or ``resume``; what arrives meanwhile for the channels that are open is kept for them."""
        self._is_open = True
        self._sender.open(connection)
        for member in self._owner.subscribers.expected():
            self._relay.hold(member)
            self._feed(self._session.join, member)
        self._feed(self._session.opened)
        unopened, self._unopened = self._unopened, []
        for payloads, kinds in unopened:
            self.receive(payloads, kinds)

    def receive(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Process the messages of one turn."""
        if self._is_open:
            self._feed(self._session.received, payloads, kinds)
            return
        self._unopened.append((payloads, kinds))
        self._unopened_bytes += sum(map(len, payloads))
        if self._unopened_bytes > MOST_UNOPENED:
            text = f"over {MOST_UNOPENED >> 20} MiB arrived before the session was opened"
            self._judge(a.JudgeUpstream(None, Failure(FailureKind.SESSION, text, moment="hello")))

    def join(self, member: Member) -> None:
        """Subscribe a channel."""
        if not self._relay.join(member):
            self._feed(self._session.join, member)

    def leave(self, member: Member) -> None:
        """Unsubscribe a channel, or give its subscription up."""
        self._feed(self._session.leave, member)

    async def send(
        self, member: Member, payload: bytes, *, binary: bool, timeout: float | None, reply: AwaitedReply | None = None
    ) -> int:
        """Hand a program's message to the connection, as ``seam.ConnectionSession.send`` says."""
        if reply is None:
            message = self._session.wrap(member, payload, binary=binary)
        else:
            message = self._session.wrap(
                member, payload, binary=binary, ref=reply.ref, reply="private" if reply.private else "wanted"
            )
            self._await_reply(message, reply)
        return await self._sender.send(message, timeout=timeout)

    def _await_reply(self, message: OutgoingMessage, reply: AwaitedReply) -> None:
        if message.reply is None:
            return
        self._replies[message] = reply
        reply.forget = partial(self._forget, message)
        if len(self._replies) > MOST_REPLIES:  # the session has forgotten it as well
            del self._replies[next(iter(self._replies))]

    def _forget(self, message: OutgoingMessage) -> None:
        self._replies.pop(message, None)  # twice, where another connection was tried
        self._session.forget(message)

    async def bye(self) -> None:
        """Run ``bye``, for as long as it may take."""
        if self._is_open and not self._over:
            self._bye = asyncio.get_running_loop().create_future()
            self._feed(self._session.bye)
            await self._bye

    def held(self, *, held: bool) -> None:
        """Count no time for timers while reading is paused."""
        self._session.hold(held=held)

    def end(self) -> None:
        """Stop everything at once."""
        if self._over:
            return
        self._over = True
        self._session.ended()
        self._inputs.clear()
        self._sender.end()
        self._calls.end()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        _resolve(self._bye)
        replies, self._replies = self._replies, {}
        for message, reply in replies.items():
            if not reply.private or message.own_id is not None:  # else none may be expected
                reply.lost()

    # inputs

    def _feed(self, told: Callable[[*Given], Sequence[a.SessionAction]], *given: *Given) -> None:
        """Tell the session something, and carry out what it wants done; one thing after the other."""
        if self._over:
            return
        if self._busy:
            self._inputs.append(partial(told, *given))
            return
        self._busy = True
        try:
            self._carry_out(told(*given))
            while self._inputs and not self._over:
                self._carry_out(self._inputs.popleft()())
        except Exception as error:  # a bug of ours becomes the reason of the connection's end
            logger.exception("a session failed")
            text = f"an error of wscli itself: {type(error).__name__}; `wscli logs` has more"
            self._judge(a.JudgeUpstream(Verdict(Action.RETRY), Failure(FailureKind.SESSION, text)))
        finally:
            self._busy = False

    def _answered(self, number: int, answer: Answer) -> None:
        self._feed(self._session.answered, number, answer)

    def _not_sent(self, message: Any) -> None:
        self._feed(self._session.not_sent, message)

    def _logged(self, number: int) -> None:
        self._feed(self._session.logged, number)

    def _due(self, number: int) -> None:
        del self._timers[number]
        self._feed(self._session.due, number)

    # actions

    def _carry_out(self, actions: Sequence[a.SessionAction]) -> None:
        carriers = self._carriers
        for action in actions:
            if self._over:
                return
            carriers[type(action)](action)

    def _set_timer(self, action: a.SetTimer) -> None:
        before = self._timers.pop(action.number, None)
        if before is not None:
            before.cancel()
        if action.delay is not None:
            self._timers[action.number] = self._services.schedule(action.delay, partial(self._due, action.number))

    def _waits(self, action: a.StepWaits) -> None:
        if action.channel is None:
            self._listener.progressed(action.text)
        else:
            self._relay.tell(action)

    def _ready(self, action: a.SessionReady) -> None:
        if self._prepared is not None:
            _resolve(self._prepared)
            return
        self._listener.ready(resumed=action.resumed)
        for member in self._relay.closed():  # during ``hello``
            self._feed(self._session.leave, member)

    def _judge(self, action: a.JudgeUpstream) -> None:
        failure = self._record.scrubbed(action.failure)
        if self._prepared is None:
            self._listener.judged(action.verdict, failure)
        elif not self._prepared.done():
            self._prepared.set_exception(SessionFailed(failure, action.verdict))

    def _reply(self, action: a.Reply) -> None:
        reply = self._replies.pop(action.message, None)
        if reply is not None:
            reply.replied(action.payload, action.binary)

    @property
    def _trace(self) -> StepTrace:
        if self._record.session is None:
            self._record.session = StepTrace()
        return self._record.session


def _tokens_of(channel: a.ChannelSession) -> dict[str, int]:
    return member_of(channel).tokens


def _resolve(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)
