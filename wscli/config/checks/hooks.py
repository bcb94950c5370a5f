"""What the types do not say of a hook: its program, arguments of the environment, its jq expression."""

from __future__ import annotations

import re

from wscli.config.checks.context import Context
from wscli.config.models.fields import expand_home
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Items
from wscli.expressions.compiled import InvalidExpression, check_expression
from wscli.values import shown

__all__ = ["check_hook", "check_words"]

_LONGEST_REASON = 200


def check_hook(located: Located | None, context: Context) -> None:
    """Check what the types do not say of a hook, a list of words or a mapping."""
    if located is None:
        return
    check_words(located if isinstance(located.node, Items) else located.get("exec"), context)
    _check_jq(located.get("jq"), context)


def check_words(located: Located | None, context: Context) -> None:
    """Check the words of a command: a program, and no argument from the environment."""
    for number, item in enumerate(located.items() if located is not None else ()):
        text = item.text
        if text is None or context.problems.at(item.mark):
            continue
        if number == 0 and not text.strip():
            context.add(item, "the command's program is empty")
        elif number == 0 and "/" in text:
            try:
                expand_home(text)
            except ValueError as error:
                context.add(item, f"{shown(text)}: {error}")
        elif number and text.redacted != text:
            why = "every user could read it in the process list; the command inherits the manager's environment"
            context.add(item, f"item {number} of the command is from the environment, and {why}")


def _check_jq(located: Located | None, context: Context) -> None:
    if located is None or located.text is None or context.problems.at(located.mark):
        return
    try:
        check_expression(str(located.text))
    except InvalidExpression as error:
        reason = re.sub(r" at <top-level>, line (\d+), column (\d+)$", r" at its line \1, column \2", str(error))
        cut = reason if len(reason) <= _LONGEST_REASON else f"{reason[:_LONGEST_REASON]}..."
        # jq quotes the faulty part, which may come from the environment
        why = f": {cut}" if located.text.redacted == located.text else ""
        context.add(located, f"invalid jq expression: {shown(located.text)}{why}")
