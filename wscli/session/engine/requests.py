"""What steps ask of others: HTTP calls and commands, filled."""

from __future__ import annotations

import re
from typing import Any

from wscli.session.actions import Fetch, RunCommand
from wscli.session.plan import HttpAction, RunAction
from wscli.templates import Scope, TemplateError
from wscli.templates.filters import as_text
from wscli.templates.paths import ABSENT
from wscli.tokens.errors import SourceFailed

__all__ = ["RequestInvalid", "fill_request", "shortened"]

_LONGEST_ANSWER = 200
_CUT_WORD = re.compile(r"[\w.~+/=-]*\Z")
_ENCODED = ("param", "with", "var", "sub", "sent", "msg", "now")


class RequestInvalid(ValueError):
    """A request cannot be filled; the text has no value of it."""


def fill_request(action: HttpAction | RunAction, scope: Scope) -> Fetch | RunCommand:
    """Fill the templates of a call or a command.

    Raises:
        RequestInvalid: a placeholder has no value, or a value does not fit where it stands.
    """
    try:
        if isinstance(action, HttpAction):
            return Fetch(action.source.request(scope, encoded=_ENCODED), action.accept)
        stdin = None if action.stdin is None else _text(action.stdin.render(scope))
        return RunCommand(tuple(_text(one.render(scope)) for one in action.argv), stdin)
    except SourceFailed as error:
        raise RequestInvalid(error.text) from None
    except TemplateError as error:
        raise RequestInvalid(str(error)) from None


def _text(value: Any) -> str:
    return "" if value is ABSENT else as_text(value)


def shortened(raw: bytes) -> str:
    """Shorten an answer; a word that would be cut is left out, since part of a secret is not recognised as one."""
    text = raw[: 4 * _LONGEST_ANSWER].decode(errors="replace")
    if len(text) <= _LONGEST_ANSWER and len(raw) <= 4 * _LONGEST_ANSWER:
        return text
    return _CUT_WORD.sub("", text[:_LONGEST_ANSWER]) + "..."
