"""What a shell may complete, asked of the manager; silent when there is none."""

from __future__ import annotations

import os

import click

from wscli.cli.options import selection_of
from wscli.control.client import ask
from wscli.control.paths import registered
from wscli.errors import WscliError

__all__ = ["channel_names", "instance_names", "token_names"]

ANSWER_DEADLINE = 1.0


def instance_names(incomplete: str) -> list[str]:
    """Give the names of instances that are registered."""
    return [instance.name for instance in registered(os.environ) if instance.name.startswith(incomplete)]


def channel_names(ctx: click.Context, incomplete: str) -> list[str]:
    """Give the channels of the instance that is meant, but for those on the line already."""
    given = ctx.params.get("channels") or ()
    return [name for name in _ask(ctx, "channels") if name.startswith(incomplete) and name not in given]


def token_names(ctx: click.Context, incomplete: str) -> list[str]:
    """Give the tokens of the instance that is meant."""
    return [name for name in _ask(ctx, "tokens") if name.startswith(incomplete)]


def _ask(ctx: click.Context, key: str) -> list[str]:
    try:
        return [str(name) for name in ask(selection_of(ctx), "complete", timeout=ANSWER_DEADLINE)[key]]
    except (WscliError, OSError):  # a shell that completes shows no errors
        return []
