"""``--since``: a duration ago, or a time."""

from __future__ import annotations

import contextlib
import re
import time

import click

from wscli.cli.options import DURATION

__all__ = ["read_time"]

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


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
