"""``on_state:`` and ``on_message:``, the commands that a channel's events run."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from wscli.config.checks.context import Context
from wscli.config.models.fields import Text
from wscli.config.plan import HookPlan
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Items
from wscli.values import Count, Duration, Scalar, StrictModel, shown

__all__ = ["MessageHook", "MessageHookModel", "StateHook", "StateHookModel", "check_hook", "hook_plan"]

_LONGEST_REASON = 200


def _some(words: tuple[str, ...]) -> tuple[str, ...]:
    if not words:
        raise ValueError("a command is a list, [PROGRAM, ARGUMENT...]; it is run without a shell")
    return words


Argv = Annotated[tuple[Text, ...], AfterValidator(_some), Field(json_schema_extra={"minItems": 1})]
Exec = Annotated[Argv, Field(description="the program and its arguments, run without a shell where this file is")]
Timeout = Annotated[Duration, Field(gt=0, description="after this long its process group is killed")]


class StateHookModel(StrictModel):
    """A command that each change of state runs, one after the other."""

    exec: Exec
    timeout: Timeout = 10.0


class MessageHookModel(StrictModel):
    """A command that each message runs."""

    exec: Exec
    jq: Annotated[
        Text | None, Field(description="a jq expression: for the messages alone for which it is neither false nor null")
    ] = None
    parallel: Annotated[Count, Field(ge=1, le=64, description="so many at a time; 1 keeps the order")] = 1
    timeout: Timeout = 10.0


StateHook = Argv | StateHookModel
MessageHook = Argv | MessageHookModel


def check_hook(located: Located | None, context: Context) -> None:
    """Check what the types do not say of a hook, a list of words or a mapping."""
    if located is None:
        return
    _check_words(located if isinstance(located.node, Items) else located.get("exec"), context)
    _check_jq(located.get("jq"), context)


def _check_words(located: Located | None, context: Context) -> None:
    for number, item in enumerate(located.items() if located is not None else ()):
        text = item.text
        if text is None or context.problems.at(item.mark):
            continue
        if number == 0 and not text.strip():
            context.add(item, "the command's program is empty")
        elif number == 0 and _program(text, context.base) is None:
            context.add(item, f"{shown(text)} begins with a home directory that there is not")
        elif number and text.redacted != text:
            context.add(
                item,
                f"item {number} of the command is from the environment, and the process list would show it to "
                "everybody; the command inherits the manager's environment",
            )


def _program(text: str, base: Path) -> str | None:
    """Find a path relative to the file; a bare name is looked up in PATH when it is run."""
    try:
        return str(base / Path(text).expanduser()) if "/" in text else text
    except RuntimeError:  # no such user
        return None


def _check_jq(located: Located | None, context: Context) -> None:
    if located is None or located.text is None or context.problems.at(located.mark):
        return
    wrong = _why_not(str(located.text))
    if wrong is not None:
        # jq quotes what it could not make sense of, which may be the environment's.
        why = f": {wrong}" if located.text.redacted == located.text else ""
        context.add(located, f"{shown(located.text)} is no jq expression{why}")


@functools.lru_cache(maxsize=256)
def _why_not(expression: str) -> str | None:
    """Say why it does not compile; None: it does. Many channels may share one."""
    import jq  # type: ignore[import-not-found]  # without types, and not to be paid for by a file without hooks

    try:
        jq.compile(expression)
    except ValueError as error:
        line = next(iter(str(error).removeprefix("jq: error: ").splitlines()), "").rstrip(":")
        line = re.sub(r" at <top-level>, line (\d+), column (\d+)$", r" at its line \1, column \2", line)
        return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}..."
    return None


def hook_plan(model: tuple[str, ...] | StateHookModel | MessageHookModel | None, base: Path) -> HookPlan | None:
    """Resolve a hook that was checked; ``base`` is where its file lies."""
    if model is None:
        return None
    if isinstance(model, tuple):
        return HookPlan(_resolved(model, base))
    if isinstance(model, StateHookModel):
        return HookPlan(_resolved(model.exec, base), timeout=model.timeout)
    jq = None if model.jq is None else str(model.jq)
    return HookPlan(_resolved(model.exec, base), jq, model.parallel, model.timeout)


def _resolved(words: tuple[str, ...], base: Path) -> tuple[str, ...]:
    program = words[0]
    found = _program(str(program), base) or str(program)
    written = program.redacted if isinstance(program, Scalar) else str(program)
    return (Scalar(found, redacted=written), *map(str, words[1:]))  # shown as it is written, where it cannot be run
