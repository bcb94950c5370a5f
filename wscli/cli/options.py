"""The options and arguments that several verbs share."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar

import click

from wscli.control.paths import registered
from wscli.control.selection import Selection
from wscli.errors import UsageError, WscliError

__all__ = [
    "COMPLETION_DEADLINE",
    "DURATION",
    "LogFormat",
    "Number",
    "channel_argument",
    "channels_argument",
    "file_option",
    "instance_options",
    "json_option",
    "level_option",
    "read_time",
    "selection_of",
    "timeout_option",
    "token_argument",
    "with_instance",
]

LogFormat = Literal["text", "json"]
"""How a manager writes its log."""

COMPLETION_DEADLINE = 1.0
"""Seconds for a manager to give the names that a shell completes."""

P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Any])

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PIECE = r"(\d+(?:\.\d+)?)(ms|s|m|h|d)"
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_LONGEST = 10_000 * 86_400.0
"""Seconds: within what the manager takes and what every clock and timer below can count."""


if TYPE_CHECKING:
    from wscli.control.requests import LogLevel

    _FloatType = click.ParamType[float]
else:
    _FloatType = click.ParamType  # generic since click 8.2 only


class DurationType(_FloatType):
    """``500ms``, ``10s``, ``1m30s``, or a bare number of seconds; the value is in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read one."""
        if isinstance(value, (int, float)):
            return float(value)
        if re.fullmatch(r"\d+(\.\d+)?", value):
            seconds = float(value)
        elif re.fullmatch(f"({_PIECE})+", value):
            seconds = sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PIECE, value))
        else:
            self.fail(f"invalid duration: {value!r}; it must be such as 500ms, 10s or 1m30s", param, ctx)
        if seconds > _LONGEST:
            self.fail(f"invalid duration: {value!r}; it must be at most {_LONGEST / 86400:.0f}d", param, ctx)
        return seconds


DURATION = DurationType()


class RateType(_FloatType):
    """``5/s``, ``300/5m``; the value is the seconds from one event to the next."""

    name = "rate"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read one."""
        if isinstance(value, float):
            return value
        count, _, time = value.partition("/")
        one = re.fullmatch("[1-9][0-9]{0,8}", count) and re.fullmatch(rf"(?:ms|s|m|h|d)|(?:{_PIECE})+", time)
        seconds = DURATION.convert(f"1{time}" if time in _UNITS else time, param, ctx) if one else 0.0
        if not seconds:
            self.fail(f"invalid rate: {value!r}; it must be such as 5/s or 300/5m", param, ctx)
        return seconds / int(count)


RATE = RateType()


def read_time(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read ``10m`` (ago) or ``2026-01-02T03:04:05Z`` (RFC 3339) into seconds since the epoch: an option's callback."""
    if value is None:
        return None
    text = value.upper()
    with contextlib.suppress(click.BadParameter, ValueError, OverflowError):  # a thirteenth month, say
        if not re.match(r"\d{4}-", value):
            return time.time() - DURATION.convert(value, param, ctx)
        from datetime import datetime

        if _RFC_3339.fullmatch(text):
            return datetime.fromisoformat(text).timestamp()
    raise click.BadParameter(
        f"invalid time: {value!r}; it must be such as 10m, or 2026-01-02T03:04:05Z with its zone", ctx, param
    )


class Number(click.IntRange):
    """A whole number within bounds; errors say "number" where click says "integer range"."""

    name = "number"


def _remember(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> None:
    """Keep the value of -i or -c, which chooses one instance: before the verb or after it."""
    chosen: dict[str, str] = ctx.find_root().ensure_object(dict)
    key, option = str(param.name), param.opts[0]
    for value in values:
        if key in chosen:
            raise UsageError(f"{option} is given twice: {chosen[key]!r} and {value!r}", f"give {option} once")
        chosen[key] = value


def _silence_warnings() -> None:
    """Say nothing of broken registrations: the cursor stands in the line that is completed."""
    import logging

    logging.disable(logging.WARNING)


def _complete_instances(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    _silence_warnings()
    return [one.name for one in registered(os.environ) if one.name.startswith(incomplete)]


def _complete_channels(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    given = ctx.params.get("channels") or ()
    return [name for name in _names(ctx, "channels") if name.startswith(incomplete) and name not in given]


def _complete_tokens(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in _names(ctx, "tokens") if name.startswith(incomplete)]


def _names(ctx: click.Context, key: Literal["channels", "tokens"]) -> list[str]:
    from wscli.control.client import ask

    _silence_warnings()
    try:
        return list(ask(selection_of(ctx), "complete", timeout=COMPLETION_DEADLINE)[key])
    except (WscliError, OSError):  # a shell that completes shows no errors
        return []


def file_option(help_text: str) -> Callable[[F], F]:
    """Accept -c, once, before the verb or after it."""
    return click.option(
        "-c",
        "--file",
        "instance_file",
        type=click.Path(),
        multiple=True,  # to refuse a second one
        metavar="FILE",
        expose_value=False,
        callback=_remember,
        help=help_text,
    )


def instance_options(
    function: F, *, name_help: str = "The instance of this name.", file_help: str = "The instance that runs this file."
) -> F:
    """Accept -i and -c, which choose the instance, once, before the verb or after it."""
    name_option = click.option(
        "-i",
        "--instance",
        "instance_name",
        multiple=True,
        metavar="NAME",
        expose_value=False,
        callback=_remember,
        shell_complete=_complete_instances,
        help=name_help,
    )
    return name_option(file_option(file_help)(function))


def selection_of(ctx: click.Context) -> Selection:
    """Give what -i and -c said."""
    chosen: dict[str, str] = ctx.find_root().ensure_object(dict)
    return Selection(chosen.get("instance_name"), chosen.get("instance_file"))


def with_instance(function: Callable[Concatenate[Selection, P], int]) -> Callable[P, int]:
    """Accept -i and -c after the verb, and hand the selection over as the first argument."""

    @instance_options
    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> int:
        return function(selection_of(click.get_current_context()), *args, **kwargs)

    return called


def channels_argument(*, required: bool) -> Callable[[F], F]:
    """Accept CHANNEL..., completed by asking the manager."""
    return click.argument(
        "channels",
        nargs=-1,
        required=required,
        metavar="CHANNEL..." if required else "[CHANNEL]...",
        shell_complete=_complete_channels,
    )


def channel_argument(function: F) -> F:
    """Accept one CHANNEL, completed by asking the manager."""
    return click.argument("channel", metavar="CHANNEL", shell_complete=_complete_channels)(function)


def token_argument(function: F) -> F:
    """Accept the NAME of a token, completed by asking the manager."""
    return click.argument("name", metavar="NAME", shell_complete=_complete_tokens)(function)


def json_option(help_text: str = "Print JSON.") -> Callable[[F], F]:
    """Accept --json."""
    return click.option("--json", "as_json", is_flag=True, help=help_text)


def level_option(name: str, help_text: str, default: LogLevel | None = None) -> Callable[[F], F]:
    """Accept a level of the log."""
    levels = click.Choice(["debug", "info", "warning", "error"])
    return click.option(name, type=levels, default=default, show_default=default is not None, help=help_text)


def timeout_option(help_text: str, default: str | None = None) -> Callable[[F], F]:
    """Accept --timeout T."""
    return click.option(
        "--timeout", type=DURATION, default=default, show_default=default is not None, metavar="T", help=help_text
    )
