"""The session of one connection: its inputs, and where each goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from wscli.clock import Clock
from wscli.errors import NotSent
from wscli.session.actions import ByeOver, CallFailed, ChannelSession, SessionAction, SessionReady
from wscli.session.engine.channels import Channels
from wscli.session.engine.core import Core
from wscli.session.engine.delivery import Delivery
from wscli.session.engine.memory import Memory
from wscli.session.engine.outgoing import AskedReply, LetOut, Outbound, OutgoingMessage, RefSource
from wscli.session.engine.pipeline import Pipeline
from wscli.session.engine.rules import Rules
from wscli.session.engine.steps.requests import StepFailed
from wscli.session.engine.steps.run import Steps
from wscli.session.engine.steps.waits import Replies, Waits
from wscli.session.engine.timers import Timers
from wscli.session.plan import SessionPlan, Step
from wscli.templates import Scope

__all__ = ["RunningSession"]


class RunningSession:
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
        max_message: int = 1 << 20,
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
            max_message: bytes of a message of a ``stream``.

        """
        self._plan = plan
        core = self._core = Core(plan, memory, scope, clock, chance, shared=shared)
        waits = Waits()
        self._outbound = Outbound(core, refs)
        self._replies = Replies(plan.reply)
        self._steps = Steps(core, waits, self._outbound)
        self._delivery = Delivery(core)
        rules = Rules(core, self._steps, self._outbound)
        self._pipeline = Pipeline(
            core,
            waits,
            self._replies,
            self._outbound.ids,
            self._delivery,
            rules.apply,
            rules.observe,
            max_message=max_message,
        )
        self._timers = Timers(core, self._steps, self._outbound)
        self._channels = Channels(
            core, self._steps, self._outbound, self._delivery, rules, self._pipeline, self._timers
        )
        self._resuming = False

    # the upstream

    def begin(self) -> list[SessionAction]:
        """Run ``before``; ``SessionReady`` says that the dial may begin."""
        self._run(self._plan.before, "before", lambda: self._core.actions.append(SessionReady()))
        return self._done()

    def variables(self) -> Mapping[str, Any]:
        """Give ``{var.x}`` for the dial's templates."""
        return self._core.upstream.variables

    def dialling(self) -> list[SessionAction]:
        """Learn that the dial's templates are filled: ``resume`` with ``once`` forgets what was kept."""
        resume, part = self._plan.resume, self._core.upstream
        self._resuming = self.resumable
        if resume is not None and resume.once and part.kept:
            part.kept.clear()
            part.keep_changed()
        return self._done()

    def opened(self) -> list[SessionAction]:
        """Run ``hello`` or what ``resume`` has in its place; ``SessionReady`` says that it is over."""
        core, resume = self._core, self._plan.resume
        core.heard, self._outbound.last = core.time(), core.clock.monotonic()
        self._timers.place(core.upstream)
        if self._resuming and resume is not None:
            core.now.orders.update(core.before.orders)
            self._run(resume.hello, "resume", lambda: self._open(resumed=True))
        else:
            self._run(self._plan.hello, "hello", lambda: self._open(resumed=False))
        return self._done()

    def _open(self, *, resumed: bool) -> None:
        core, resume = self._core, self._plan.resume
        core.upstream.resumed = core.upstream.resumed or resumed
        core.open()
        core.actions.append(SessionReady(core.upstream.resumed))
        self._timers.ready(core.upstream)
        self._channels.open(kept=resumed and resume is not None and resume.subscribe_kept)

    def _run(self, steps: Sequence[Step], moment: str, ended: Callable[[], None]) -> None:
        def failed(error: StepFailed) -> None:
            self._core.judge(self._core.upstream, error.verdict, error.failure)

        self._steps.run(steps, moment, self._core.upstream, ended, failed)

    def bye(self) -> list[SessionAction]:
        """Run ``bye`` before a close after which we do not come back; ``ByeOver`` says that it is over."""
        core = self._core
        if not core.ready or not self._plan.bye:
            core.actions.append(ByeOver())
            return self._done()

        def over(_: object = None) -> None:
            core.cancel(timer)
            core.actions.append(ByeOver())

        def late() -> None:
            run.stop()
            core.actions.append(ByeOver())

        timer = core.after(self._plan.bye_within, late)
        run = self._steps.run(self._plan.bye, "bye", core.upstream, over, over)
        return self._done()

    def ended(self) -> None:
        """Learn that the connection is over, or was not made: nothing is asked any more."""
        self._core.end()

    # what arrives

    def received(self, payloads: Sequence[bytes], kinds: bytes | None) -> list[SessionAction]:
        """Process the messages of one turn; the arguments are those of ``ConnectionListener.on_batch``."""
        if self._core.listens:
            self._core.heard = self._core.time()
        self._pipeline.received(payloads, kinds)
        return self._done()

    def answered(self, number: int, answer: Mapping[str, str] | bytes | CallFailed) -> list[SessionAction]:
        """Take the answer to a ``Call``; an unknown number changes nothing."""
        self._core.answered(number, answer)
        return self._done()

    def due(self, number: int) -> list[SessionAction]:
        """Take a timer of ``SetTimer`` that is due; an unknown number changes nothing."""
        self._core.due(number)
        return self._done()

    def logged(self, number: int) -> list[SessionAction]:
        """Learn that a message of ``Deliver.acks`` is committed, or was a duplicate; once for each channel."""
        self._delivery.logged(number)
        return self._done()

    def hold(self, held: bool) -> None:
        """Learn that reading is paused, or resumed: time meanwhile counts for no deadline."""
        self._core.pause(paused=held)

    # channels

    def join(self, channel: ChannelSession) -> list[SessionAction]:
        """Subscribe a channel, at once or as ``hello`` is over and ``limits.subscribe`` allows.

        What arrives during ``hello`` is held for those that join before it is over. ``SubscriptionReady`` or
        ``JudgeChannel`` (``JudgeUpstream`` where the upstream is not shared) says how it went.
        """
        self._channels.join(channel)
        return self._done()

    def leave(self, channel: ChannelSession) -> list[SessionAction]:
        """Deliver nothing more to a channel, and unsubscribe it; ``Unsubscribed`` says that this is over."""
        self._channels.leave(channel)
        return self._done()

    # what leaves

    def wrap(
        self,
        channel: ChannelSession,
        payload: bytes,
        *,
        binary: bool,
        ref: int | str | None = None,
        reply: AskedReply | None = None,
    ) -> OutgoingMessage:
        """Make what a program sends into a message to let out.

        Args:
            channel: whose program it is.
            payload: what it sends.
            binary: whether as a binary message.
            ref: what its ``{ref.int}`` became, if it had one.
            reply: whether ``Reply`` is wanted, until ``forget`` where none arrives; ``reply`` of the result is None if
                a ``private`` one cannot be told.

        Raises:
            NotSent: ``outgoing`` is ``none`` or lacks a value, ``merge`` needs a JSON object, or a reply is ``wanted``
                and the message has no reference.

        """
        part = self._core.channels.get(channel.name)
        if part is None:
            raise NotSent("the channel is not subscribed")
        return self._outbound.wrap(part, payload, binary=binary, ref=ref, reply=reply)

    def forget(self, message: OutgoingMessage) -> None:
        """Do not wait for the reply to a message any more."""
        self._replies.forget(message)

    def wait_to_send(self, message: OutgoingMessage) -> float:
        """Give the seconds until ``limits.send`` allows the message; 0: let it out now."""
        return self._outbound.wait(message)

    def let_out(self, message: OutgoingMessage) -> LetOut:
        """Render a message that is written next, and count it."""
        unit, problem = self._outbound.let_out(message)
        if message.reply is not None and unit is not None:
            part = self._core.channels.get(message.channel.name if message.channel else "", self._core.upstream)
            self._replies.enter(message, part.scope)
        actions = self._done()
        return LetOut(None, False, actions, problem) if unit is None else LetOut(unit.payload, unit.binary, actions)

    def not_sent(self, message: OutgoingMessage) -> list[SessionAction]:
        """Learn that a message of the session was not written."""
        self._core.sent(message)
        if message.failed is not None:
            message.failed("the message was not sent")
        return self._done()

    # what it is

    @property
    def resumable(self) -> bool:
        """Whether every value is kept that ``resume`` needs."""
        resume = self._plan.resume
        return resume is not None and all(name in self._core.upstream.kept for name in resume.needs)

    @property
    def close_code(self) -> int:
        """The code of a close by us after which we come back."""
        return self._plan.close if self.resumable else 1000

    def _done(self) -> list[SessionAction]:
        """Finish the batch, then judge, and give all that is to be done."""
        self._delivery.finish()
        core = self._core
        if core.judged:
            for part in core.emit_judged():
                self._channels.judged(part)
        actions, core.actions = core.actions, []
        return actions
