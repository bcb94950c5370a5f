"""Steps of the reference, walked one after the other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from wscli.core.failures import Verdict
from wscli.jsontext import decode_any
from wscli.session.frames import Unit, encode_message
from wscli.session.plan import SendAction, Step
from wscli.templates import JsonTemplate, TemplateError
from wscli.templates.paths import ABSENT

__all__ = ["Failed", "Party", "Walk", "capture"]


class Failed(Exception):
    """A step or a capture failed."""

    def __init__(self, verdict: Verdict | None = None) -> None:
        super().__init__()
        self.verdict = verdict


class Party:
    """An upstream, or a channel on it."""

    def __init__(self, channel: Any, kept: dict[str, Any], var: dict[str, Any]) -> None:
        self.channel = channel
        self.name: str = "" if channel is None else channel.name
        self.kept = kept
        self.variables: dict[str, Any] = dict(kept)
        self.scope: dict[str, Any] = {"var": self.variables}
        if channel is not None:
            self.scope = {"var": var, "sub": self.variables, "with": channel.values, "param": channel.params}
        self.resumed = False
        self.phase = "queued"
        self.held: list[Any] = []
        self.asked: list[Any] = []
        """What its subscribe sent, with the same reference in all."""
        self.walk: Walk | None = None

    def held_messages(self) -> bool:
        """Whether messages are held for it."""
        return any(event[0] == "message" for event in self.held)


def capture(party: Party, scope: dict[str, Any], declared: Any, value: Any) -> None:
    """Set and keep what is declared."""
    for kept, sources in ((False, declared.set), (True, declared.keep)):
        for name, source in sources.items():
            try:
                is_template = isinstance(source, JsonTemplate)
                found = source.render({**scope, "msg": value}) if is_template else source.get(value)
            except TemplateError:
                raise Failed from None
            if found is ABSENT or isinstance(found, bytes):
                raise Failed
            party.variables[name] = found
            if kept:
                party.kept[name] = found


class _Wait:
    """A step that waits for a message."""

    def __init__(self, walk: Walk, at: int) -> None:
        self.walk, self.at = walk, at
        self.expect = walk.all[at].expect
        self.answer: Any = None

    @property
    def scope(self) -> dict[str, Any]:
        return self.walk.scope_at(self.at)

    def answered(self, found: Any, value: Any) -> None:
        self.answer = (found, value)
        if self.walk.parked is self:
            self.walk.go(None)


class _Outgoing:
    """A message of a step, filled as it is let out."""

    def __init__(self, walk: Walk, at: int) -> None:
        self.walk, self.at = walk, at
        self.action: Any = walk.all[at].action

    def let_out(self, refs: Any) -> Unit | None:
        walk, model, scope = self.walk, self.walk.model, self.walk.scope_at(self.at)
        if walk.cancelled:
            return None
        names = [name for space, name in self.action.message.references if space == "ref"]
        ref: Any = refs.draw(names[0]) if names else None
        try:
            value = self.action.message.render({**scope, "ref": dict.fromkeys(names, ref)})
        except TemplateError:
            walk.fail(Failed())
            return None
        if names:
            walk.sent[self.at]["ref"] = ref
            if walk.moment == "subscribe":
                walk.party.variables.setdefault("ref", ref)
        if walk.moment == "subscribe":
            masked = {"ref": 0, "int": 0, "str": 0}
            sub = {**scope["sub"], "ref": 0}
            walk.party.asked.append(self.action.message.render({**scope, "sub": sub, "sent": masked, "ref": masked}))
        own = [wait for wait in model.waits if wait.walk is walk]
        model.waits = [wait for wait in model.waits if wait.walk is not walk] + own
        if not walk.all[self.at].expect:
            walk.written(self.at)
        return encode_message(model.plan.frames, value)


class Walk:
    """Some steps, one after the other."""

    def __init__(
        self, model: Any, steps: Sequence[Step], moment: str, party: Party, ended: Callable[[], None], message: Any
    ) -> None:
        self.model, self.all, self.moment, self.party, self.ended = model, steps, moment, party, ended
        self.message = message
        self.sent: dict[int, dict[str, Any]] = {at: {} for at, step in enumerate(steps) if is_send(step)}
        """What ``{sent}`` is of each step that sends."""
        self.parked: Any = None
        """The wait, or the place of the message, that it goes on with."""
        self.waits: list[_Wait] = []
        self.stopped = False
        self.cancelled = False
        """Whether what it has not sent yet is not to be sent any more."""
        self.steps = self._steps()

    def scope_at(self, at: int) -> dict[str, Any]:
        """Give the variables as a step sees them: ``{sent}`` is of the last message that is sent up to it."""
        sent: dict[str, Any] = next((self.sent[one] for one in range(at, -1, -1) if one in self.sent), {})
        given = {} if self.message is ABSENT else {"msg": self.message}
        return {**self.party.scope, "sent": sent, **given}

    def go(self, answer: Any) -> None:
        """Go on with an answer, up to where it waits next."""
        if self.stopped:
            return
        try:
            self.steps.send(answer)
        except StopIteration:
            self.stop()
            self.ended()
        except Failed as failed:
            self.fail(failed)

    def fail(self, failed: Failed) -> None:
        self.stop()
        if self.moment == "unsubscribe":
            self.ended()
            return
        self.model.judge(self.party, failed.verdict, self.moment)
        if self.moment == "rule":
            self.ended()

    def stop(self) -> None:
        self.stopped = True
        self.model.waits = [wait for wait in self.model.waits if wait.walk is not self]

    def cancel(self) -> None:
        """Stop it from outside."""
        self.cancelled = not self.stopped
        self.stop()

    def written(self, at: int) -> None:
        """Go on after a message that nothing is awaited for."""
        if self.parked == at:
            self.go(None)

    def _steps(self) -> Generator[None, Any, None]:
        for at, step in enumerate(self.all):
            scope = self.scope_at(at)
            if not all(
                shape.matches(scope.get(space, {}).get(name, ABSENT), scope) for space, name, shape in step.when
            ):
                self.sent.pop(at, None)
                continue
            found, value = None, self.message
            if is_send(step):
                self.wait_for(at)
                self.model.outbox.append(_Outgoing(self, at))
            elif step.action is not None:
                if self.all[at + 1 : at + 2] and self.all[at + 1].action is None:
                    self.wait_for(at + 1)
                self.model.calls.append(self)
                body = yield
                found, value = self._judge_answer(step, body)
            wait = self.wait_for(at) if is_send(step) or step.action is None else None
            if wait is not None and wait.at == at:
                if wait.answer is None:
                    self.parked = wait
                    yield
                found, value = wait.answer
            elif is_send(step):
                self.parked = at
                yield
            self.parked = None
            self._take(at, found, value)

    def wait_for(self, at: int) -> Any:
        """Have the next step from there on that waits do so, unless what stands before it takes its time."""
        for later in range(at, len(self.all)):
            step = self.all[later]
            if (step.when and later > at) or (step.action is not None and not is_send(step)):
                return None
            if step.expect:
                waiting = [wait for wait in self.waits if wait.at == later]
                if not waiting:
                    waiting = [_Wait(self, later)]
                    self.waits += waiting
                    self.model.waits += waiting
                return waiting[0]
        return None

    def _judge_answer(self, step: Step, body: bytes | None) -> tuple[Any, Any]:
        if body is None:
            raise Failed
        value = decode_any(body)
        found = next((one for one in step.expect if one.match.matches(value, self.party.scope)), None)
        if step.expect and found is None:
            raise Failed
        return found, value

    def _take(self, at: int, found: Any, value: Any) -> None:
        step, scope = self.all[at], self.scope_at(at)
        if found is not None:
            capture(self.party, scope, found, value)
        capture(self.party, scope, step, value)
        if found is not None and found.resumed:
            self.party.resumed = True
        if found is not None and found.then is not None:
            raise Failed(found.then)


def is_send(step: Step) -> bool:
    """Whether a step sends."""
    return isinstance(step.action, SendAction)
