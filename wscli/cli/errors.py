"""How an error reaches the user: one line on stderr, and one that begins with ``hint:``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

import click

from wscli.cli.printing import styled
from wscli.control.text import escape
from wscli.errors import ConfigError, UsageError, WscliError

__all__ = ["report", "report_click", "report_crash", "unknown_verb"]


def report(error: WscliError) -> int:
    """Print an error and give its exit code."""
    if sys.stderr is None:
        return int(error.exit_code)
    if isinstance(error, ConfigError):  # one line a problem, which begins with its place, as a compiler's does
        text = escape(error.message, keep="\n")
    else:
        text = f"{styled('error:', sys.stderr, fg='red', bold=True)} {escape(error.message)}"
    if error.hint:
        text += f"\n{styled('hint:', sys.stderr, fg='cyan')} {escape(error.hint)}"
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
    return int(error.exit_code)


def report_click(error: click.ClickException) -> int:
    """Print an error of click's in our form."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"see `{context.command_path} -h`" if context is not None else "see `wscli -h`"
    meant = getattr(error, "possibilities", None)  # of an option, and since click 8.4 of a command
    if meant:
        hint = f"did you mean {meant[0]!r}?"
    message = " ".join((error.message if meant else error.format_message()).split())
    message = (message[:1].lower() + message[1:]).rstrip(".")
    ours = UsageError(message, hint) if error.exit_code == UsageError.exit_code else WscliError(message, hint)
    return report(ours)


def report_crash(error: Exception) -> int:
    """Print an unexpected error; with WSCLI_DEBUG set, its traceback as well."""
    if os.environ.get("WSCLI_DEBUG"):
        import traceback

        traceback.print_exc()
    text = " ".join(str(error).split())
    hint = "this is a bug of wscli: please report it, with what WSCLI_DEBUG=1 prints"
    return report(WscliError(f"wscli itself failed: {type(error).__name__}: {text}", hint))


def unknown_verb(word: str, known: Iterable[str]) -> UsageError:
    """Return the error for a verb that does not exist, with the one that may be meant."""
    from difflib import get_close_matches

    meant = get_close_matches(word, known, 1)
    return UsageError(f"no such command {word!r}", f"did you mean {meant[0]!r}?" if meant else "see `wscli -h`")
