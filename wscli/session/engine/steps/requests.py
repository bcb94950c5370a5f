"""What steps ask of others, HTTP calls and commands, and how a step fails."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from wscli.core.failures import Failure, FailureKind, Verdict
from wscli.jsontext import decode_any
from wscli.session.actions import CallFailed, CommandCall, Fetch
from wscli.session.plan import HttpAction, RunAction, Step
from wscli.templates import Scope, TemplateError
from wscli.templates.filters import as_text
from wscli.templates.paths import ABSENT
from wscli.tokens.errors import SourceFailed

__all__ = ["StepFailed", "call_failed", "fill_request", "shortened", "step_failed"]

_LONGEST_ANSWER = 200
_CUT_WORD = re.compile(r"[\w.~+/=-]*\Z")
_ENCODED = ("param", "with", "var", "sub", "sent", "msg", "now")


class StepFailed(Exception):
    """A step failed."""

    def __init__(self, failure: Failure, verdict: Verdict | None = None) -> None:
        super().__init__(failure.text)
        self.failure = failure
        self.verdict = verdict
        """Of an alternative's ``then``; None: as others decide."""


def fill_request(step: Step, moment: str, action: HttpAction | RunAction, scope: Scope) -> Fetch | CommandCall:
    """Fill the templates of a call or a command.

    Raises:
        StepFailed: a placeholder has no value, or a value does not fit where it stands.
    """
    try:
        if isinstance(action, HttpAction):
            return Fetch(action.source.request(scope, encoded=_ENCODED), action.accept)
        stdin = None if action.stdin is None else _text(action.stdin.render(scope))
        return CommandCall(tuple(_text(one.render(scope)) for one in action.argv), stdin)
    except SourceFailed as error:
        raise step_failed(step, moment, error.text) from None
    except TemplateError as error:
        raise step_failed(step, moment, str(error)) from None


def step_failed(step: Step, moment: str, text: str, verdict: Verdict | None = None) -> StepFailed:
    """Say that a step failed."""
    return StepFailed(Failure(FailureKind.SESSION, f"{step.place} ({step.shown}): {text}", moment=moment), verdict)


def call_failed(step: Step, moment: str, answer: CallFailed, scope: Scope | None = None) -> StepFailed:
    """Say that a call failed; an item of ``expect`` that its answer fits may say what then."""
    text = f"{step.place} ({step.shown}): {answer.failure.text}"
    verdict = None
    if scope is not None and isinstance(answer.body, bytes):
        value = decode_any(answer.body)
        fitting = (one for one in step.expect if one.match.matches(value, scope))
        verdict = next((one.then for one in fitting if one.then is not None), None)
    return StepFailed(replace(answer.failure, text=text, moment=moment), verdict)


def _text(value: Any) -> str:
    return "" if value is ABSENT else as_text(value)


def shortened(raw: object) -> str:
    """Shorten an answer; a word that would be cut is left out, since part of a secret is not recognised as one."""
    if not isinstance(raw, bytes):
        return ""
    text = raw[: 4 * _LONGEST_ANSWER].decode(errors="replace")
    if len(text) <= _LONGEST_ANSWER and len(raw) <= 4 * _LONGEST_ANSWER:
        return text
    return _CUT_WORD.sub("", text[:_LONGEST_ANSWER]) + "..."
