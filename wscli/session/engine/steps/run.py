"""Steps, run one after the other: each reads as it is written, and parks where it waits."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wscli.jsontext import decode_any
from wscli.session.actions import AskTokens, CallFailed, CommandCall, Fetch, Stepped, StepWaits
from wscli.session.engine.core import Core, Deadline
from wscli.session.engine.outgoing import Outbound, OutgoingMessage
from wscli.session.engine.parts import CaptureFailed, Captures, Part
from wscli.session.engine.steps.requests import StepFailed, call_failed, fill_request, shortened, step_failed
from wscli.session.engine.steps.waits import Awaiting, Waits, next_to_wait
from wscli.session.plan import Alternative, HttpAction, RunAction, SendAction, Step
from wscli.templates.paths import ABSENT
from wscli.values import format_duration

__all__ = ["Run", "Steps"]

_REPORTED = ("before", "hello", "resume", "subscribe")
"""The moments whose steps are told of, one by one."""
_URGENT = ("rule", "timer")
_Answer = tuple[Alternative | None, Any]
"""An alternative that fits, and the answer itself."""
_Answering = Generator[None, Any, _Answer]
_Sent = Callable[[SendAction, Mapping[str, Any], Any], None]


@dataclass(frozen=True, slots=True)
class Steps:
    """Runs steps on one connection."""

    core: Core
    waits: Waits
    outbound: Outbound

    def run(
        self,
        steps: Sequence[Step],
        moment: str,
        part: Part,
        ended: Callable[[], None],
        failed: Callable[[StepFailed], None],
        *,
        message: Any = ABSENT,
        sent: _Sent | None = None,
    ) -> Run:
        """Run steps with a part's variables, and call ``ended`` or ``failed`` at their end, which may be at once.

        ``message`` is what ``{msg}`` is; ``sent`` is called with each message, its scope and its reference, before it
        is written.
        """
        run = Run(self, steps, moment, part, message, sent)
        run.start(ended, failed)
        return run


class Run:
    """One sequence of steps."""

    def __init__(
        self, steps: Steps, sequence: Sequence[Step], moment: str, part: Part, message: Any, sent: _Sent | None
    ) -> None:
        self._core, self._waits, self._outbound = steps.core, steps.waits, steps.outbound
        self._sequence = sequence
        self._moment = moment
        self._part = part
        self._message = message
        self._sent = sent
        self._scope: dict[str, Any] = {**part.scope, "token": {}, "sent": {}}
        if message is not ABSENT:
            self._scope["msg"] = message
        self._generator = self._all()
        self.over = False
        self._entered: list[Awaiting] = []
        self._ahead: tuple[Step, Awaiting] | None = None
        """A later step, which waits while what stands before it is written or asked for."""
        self._parked: Awaiting | None = None
        self._deadline: Deadline | None = None
        self._outgoing: OutgoingMessage | None = None
        self._call = 0
        self._answer_text = ""

    # its life

    def start(self, ended: Callable[[], None], failed: Callable[[StepFailed], None]) -> None:
        """Run up to where it waits first."""
        self._ended, self._failed = ended, failed
        self._go_on(None)

    def stop(self) -> None:
        """Stop where it waits; neither ``ended`` nor ``failed`` is called."""
        if self._outgoing is not None:
            self._outgoing.cancelled = True
        self._clear()
        self._generator.close()

    def _go_on(self, event: Any) -> None:
        if self.over:
            return
        try:
            if isinstance(event, StepFailed):
                self._generator.throw(event)
            else:
                self._generator.send(event)
        except StopIteration:
            self._clear()
            self._ended()
        except StepFailed as error:
            self._clear()
            self._failed(error)

    def _clear(self) -> None:
        self.over = True
        self._core.forget_call(self._call)
        for awaiting in self._entered:
            self._waits.remove(awaiting)
        self._stop_clock()

    def _start_clock(self, step: Step) -> None:
        self._progress(step, f"waiting for {step.expected or 'an answer'}")
        self._deadline = Deadline(self._core, step.within, lambda: self._late(step))

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self, step: Step) -> None:
        expected = f", expected {step.expected}" if step.expected and step.expected not in step.shown else ""
        self._go_on(step_failed(step, self._moment, f"no answer within {format_duration(step.within)}{expected}"))

    # the steps

    def _all(self) -> Generator[None, Any, None]:
        for at, step in enumerate(self._sequence):
            if self._wanted(step):
                began = self._core.clock.monotonic()
                self._answer_text = ""
                try:
                    yield from self._one(step, self._sequence[at + 1 :])
                except StepFailed as error:
                    self._report(step, began, self._answer_text or error.failure.text, ok=False)
                    raise
                self._report(step, began, self._answer_text, ok=True)

    def _wanted(self, step: Step) -> bool:
        return all(
            shape.matches(self._scope.get(space, {}).get(name, ABSENT), self._scope) for space, name, shape in step.when
        )

    def _one(self, step: Step, later: Sequence[Step]) -> Generator[None, Any, None]:
        awaiting = self._begin(step, later)
        if step.tokens:
            self._progress(step, f"waiting for the token {', '.join(map(repr, sorted(step.tokens)))}")
            tokens = yield from self._ask(AskTokens(step.tokens), step.within)
            if isinstance(tokens, CallFailed):
                raise call_failed(step, self._moment, tokens)
            self._scope["token"] = {**self._scope["token"], **tokens}
        answer: _Answer = None, self._message
        if isinstance(step.action, SendAction):
            answer = yield from self._exchange(step, step.action, awaiting)
        elif step.action is not None:
            answer = yield from self._request(step, step.action, later)
        elif awaiting is not None:
            self._waits.look_back(awaiting)
            if awaiting.found is None:
                self._start_clock(step)
            answer = yield from self._park(awaiting)
        self._take(step, *answer)

    def _begin(self, step: Step, later: Sequence[Step]) -> Awaiting | None:
        """Have a step wait from now on, or what stands behind one that is only sent."""
        awaiting = None
        if self._ahead is not None and self._ahead[0] is step:
            awaiting, self._ahead = self._ahead[1], None
        if isinstance(step.action, SendAction):
            self._scope = {**self._scope, "sent": {} if awaiting is None else awaiting.scope["sent"]}
            if self._ahead is not None and self._ahead[0].action is None:
                self._ahead[1].scope = self._scope
        if awaiting is None and step.waits:
            awaiting = self._await(step, self._scope)
        elif awaiting is None and isinstance(step.action, SendAction):
            self._wait_ahead(later)
        return awaiting

    def _exchange(self, step: Step, action: SendAction, awaiting: Awaiting | None) -> _Answering:
        """Send, and wait for the answer, which may be there already."""
        scope = self._scope

        def written(message: OutgoingMessage) -> None:
            scope["sent"]["ref"] = message.ref
            if self._sent is not None:
                self._sent(action, scope, message.ref)
            if awaiting is None:
                if self._ahead is not None and self._ahead[1].found is None:
                    self._waits.enter(self._ahead[1])
                self._go_on((None, self._message))
            elif awaiting.found is None and not self.over:
                self._waits.enter(awaiting)
                self._start_clock(step)

        def failed(problem: str) -> None:
            self._go_on(step_failed(step, self._moment, problem))

        self._progress(step, "waiting to send")
        urgent = self._moment in _URGENT
        self._outgoing = self._outbound.send(self._part, action, scope, written, failed, urgent=urgent)
        if awaiting is not None:
            return (yield from self._park(awaiting))
        answer: _Answer = yield
        return answer

    def _request(self, step: Step, action: HttpAction | RunAction, later: Sequence[Step]) -> _Answering:
        what = fill_request(step, self._moment, action, self._scope)
        if later and later[0].action is None:
            self._wait_ahead(later[:1])
        if self._ahead is not None:
            self._ahead[1].remember()
        self._progress(step, f"waiting for {step.shown}")
        body = yield from self._ask(what, step.within)
        if isinstance(body, CallFailed):
            self._answer_text = shortened(body.body)
            raise call_failed(step, self._moment, body, self._scope)
        value = decode_any(body)
        self._answer_text = shortened(body)
        found = next((one for one in step.expect if one.match.matches(value, self._scope)), None)
        if step.expect and found is None:
            raise step_failed(step, self._moment, f"unexpected answer; expected {step.expected or 'another'}")
        return found, value

    def _ask(self, what: AskTokens | Fetch | CommandCall, within: float) -> Generator[None, Any, Any]:
        self._call = self._core.call(what, within, self._part, self._go_on)
        answer = yield
        return answer

    # what it waits for

    def _wait_ahead(self, later: Sequence[Step]) -> None:
        """Have the next step that waits do so from now on; a server may answer it in the same turn."""
        found = next_to_wait(later)
        if found is not None and self._ahead is None:
            step, sent_anew = found
            self._ahead = step, self._await(step, {**self._scope, "sent": {}} if sent_anew else self._scope)

    def _await(self, step: Step, scope: dict[str, Any]) -> Awaiting:
        """Wait for a step's message from now on; ``_park`` takes it."""
        awaiting = Awaiting(step.expect, scope, self._answered)
        self._entered.append(awaiting)
        self._waits.enter(awaiting)
        return awaiting

    def _answered(self, awaiting: Awaiting, found: Alternative, value: Any, raw: bytes) -> None:
        awaiting.found = found, value, raw
        self._entered.remove(awaiting)
        if self._parked is awaiting:
            self._go_on(None)

    def _park(self, awaiting: Awaiting) -> _Answering:
        if awaiting.found is None:
            self._parked = awaiting
            yield
            self._parked = None
            self._stop_clock()
        found, value, raw = awaiting.found or (None, ABSENT, b"")
        self._answer_text = shortened(raw)
        return found, value

    def _take(self, step: Step, found: Alternative | None, value: Any) -> None:
        try:
            if found is not None:
                Captures(found).take(self._part, value, self._scope)
            Captures(step).take(self._part, value, self._scope)
        except CaptureFailed as error:
            raise step_failed(step, self._moment, f"cannot set {error}") from None
        if found is None:
            return
        self._part.resumed = self._part.resumed or found.resumed
        if found.then is not None:
            raise step_failed(step, self._moment, f"the answer was {self._answer_text}", found.then)

    # what it tells

    def _progress(self, step: Step, text: str) -> None:
        if self._moment in _REPORTED:
            self._core.actions.append(StepWaits(self._part.channel, f"{step.place}: {text}"))

    def _report(self, step: Step, began: float, answer: str, *, ok: bool) -> None:
        if self._moment in _REPORTED:
            seconds = self._core.clock.monotonic() - began
            self._core.actions.append(Stepped(self._part.channel, step.place, step.shown, seconds, answer, ok))
