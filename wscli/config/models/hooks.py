"""``on_connect:``, ``on_state:`` and ``on_message:``, the commands that a channel's events run."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, ValidationInfo

from wscli.config.models.fields import Text, base_of, joined
from wscli.values import Count, Duration, Scalar, StrictModel

__all__ = ["ConnectHook", "ConnectHookOf", "HookPlan", "MessageHook", "MessageHookOf", "StateHook", "StateHookOf"]


def _command(words: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    """Resolve a program's path; a bare name is looked up in PATH when it is run."""
    if not words:
        raise ValueError("a command is a list, [PROGRAM, ARGUMENT...]; it is run without a shell")
    program, *arguments = words
    found = joined(base_of(info), program) if info.context is not None and "/" in program else str(program)
    written = program.redacted if isinstance(program, Scalar) else found
    return (Scalar(found, redacted=written), *map(str, arguments))  # shown as it is written where it cannot be run


_Words = Annotated[tuple[Text, ...], AfterValidator(_command), Field(json_schema_extra={"minItems": 1})]
_Exec = Annotated[_Words, Field(description="the program and its arguments, run without a shell where this file is")]
_Timeout = Annotated[Duration, Field(gt=0, description="after this long its process group is killed")]


class StateHook(StrictModel):
    """A command that each change of state runs, one after the other."""

    exec: _Exec
    timeout: _Timeout = 10.0
    jq: ClassVar[None] = None
    parallel: ClassVar[int] = 1


class ConnectHook(StrictModel):
    """A command that each new connection runs before it is ready; the lines that it prints are sent on it."""

    exec: _Exec
    timeout: _Timeout = 10.0


class MessageHook(StrictModel):
    """A command that each message runs."""

    exec: _Exec
    jq: Annotated[
        Text | None, Field(description="a jq expression: for the messages alone for which it is neither false nor null")
    ] = None
    parallel: Annotated[Count, Field(ge=1, le=64, description="so many at a time; 1 keeps the order")] = 1
    timeout: _Timeout = 10.0


HookPlan = StateHook | MessageHook
ConnectHookOf = ConnectHook | _Words
StateHookOf = StateHook | _Words
MessageHookOf = MessageHook | _Words
