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

    def __init__(self, walk: Walk, step: Step, answered: Callable[[Any, Any], None]) -> None:
        self.walk, self.expect, self.answered = walk, step.expect, answered


class _Outgoing:
    """A message of a step, filled as it is let out."""

    def __init__(self, walk: Walk, action: SendAction, wait: _Wait | None, message: Any) -> None:
        self.walk, self.action, self.wait, self.message = walk, action, wait, message
        self.scope = walk.scope

    def let_out(self, refs: Any) -> Unit | None:
        walk, model = self.walk, self.walk.model
        if walk.cancelled:
            return None
        names = [name for space, name in self.action.message.references if space == "ref"]
        ref: Any = refs.draw(names[0]) if names else None
        try:
            value = self.action.message.render({**self.scope, "ref": dict.fromkeys(names, ref)})
        except TemplateError:
            walk.fail(Failed())
            return None
        if names:
            self.scope["sent"]["ref"] = ref
            if walk.moment == "subscribe":
                walk.party.variables.setdefault("ref", self.scope["sent"]["ref"])
        if walk.moment == "subscribe":
            masked = {"ref": 0, "int": 0, "str": 0}
            sub = {**self.scope["sub"], "ref": 0}
            walk.party.asked.append(
                self.action.message.render({**self.scope, "sub": sub, "sent": masked, "ref": masked})
            )
        if self.wait is None:
            walk.go((None, self.message))
        elif self.wait in model.waits:
            model.waits.remove(self.wait)
            model.waits.append(self.wait)
        return encode_message(model.plan.frames, value)


class Walk:
    """Some steps, one after the other."""

    def __init__(
        self, model: Any, steps: Sequence[Step], moment: str, party: Party, ended: Callable[[], None], message: Any
    ) -> None:
        self.model, self.moment, self.party, self.ended = model, moment, party, ended
        self.scope: dict[str, Any] = {**party.scope, "sent": {}}
        if message is not ABSENT:
            self.scope["msg"] = message
        self.stopped = False
        self.cancelled = False
        """Whether what it has not sent yet is not to be sent any more."""
        self.steps = self._steps(steps, message)

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

    def _steps(self, steps: Sequence[Step], message: Any) -> Generator[None, Any, None]:
        early: list[Any] = []
        for at, step in enumerate(steps):
            if not self._wanted(step):
                continue
            found, value = None, message
            if isinstance(step.action, SendAction):
                self.scope = {**self.scope, "sent": {}}
                wait = self._wait(step, lambda *answer: self.go(answer)) if step.expect else None
                self.model.outbox.append(_Outgoing(self, step.action, wait, message))
                found, value = yield
            elif step.action is not None:
                early.clear()
                after = steps[at + 1] if at + 1 < len(steps) else None
                if after is not None and after.action is None and after.expect and not after.when:
                    self._wait(after, lambda *answer: early.append(answer))
                self.model.calls.append(self)
                body = yield
                found, value = self._judge_answer(step, body)
            elif step.expect:
                waiting = [wait for wait in self.model.waits if wait.walk is self]
                if early:
                    found, value = early.pop()
                else:
                    if waiting:
                        waiting[0].answered = lambda *answer: self.go(answer)
                    else:
                        self._wait(step, lambda *answer: self.go(answer))
                    found, value = yield
            self._take(step, found, value)

    def _wanted(self, step: Step) -> bool:
        return all(
            shape.matches(self.scope.get(space, {}).get(name, ABSENT), self.scope) for space, name, shape in step.when
        )

    def _wait(self, step: Step, answered: Callable[..., None]) -> _Wait:
        wait = _Wait(self, step, answered)
        self.model.waits.append(wait)
        return wait

    def _judge_answer(self, step: Step, body: bytes | None) -> tuple[Any, Any]:
        if body is None:
            raise Failed
        value = decode_any(body)
        found = next((one for one in step.expect if one.match.matches(value, self.scope)), None)
        if step.expect and found is None:
            raise Failed
        return found, value

    def _take(self, step: Step, found: Any, value: Any) -> None:
        if found is not None:
            capture(self.party, self.scope, found, value)
        capture(self.party, self.scope, step, value)
        if found is not None and found.resumed:
            self.party.resumed = True
        if found is not None and found.then is not None:
            raise Failed(found.then)
