"""How an error reaches the user: one line on stderr, and one that begins with ``hint:``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence

import click

from wscli.cli.printing import styled
from wscli.control.text import escape
from wscli.errors import ConfigError, UsageError, WscliError

__all__ = ["hint_of_selection", "report", "report_click", "report_crash", "unknown_verb"]

_OF_INSTANCE = (
    "consumer|doctor|down|logs|outbox|pause|reload|request|restart|resubscribe|resume|rotate|send|start|stats|status|stop|tail|"
    "token|wait"
)
"""Verbs that are for an instance."""


def hint_of_selection(hint: str, name: str | None, file: str | None) -> str:
    """Give the commands of a hint the -i or -c of the command line, without which they may mean another instance."""
    chosen = name or file
    if not chosen:
        return hint
    import re

    if not re.fullmatch(r"[\w@%+=:,./-]+", chosen, re.ASCII):
        import shlex

        chosen = shlex.quote(chosen)
    option = f"{'-i' if name else '-c'} {chosen} "
    return re.sub(f"`wscli (?=(?:{_OF_INSTANCE})[ `])(?![^`]* -[ich]\\b)", lambda found: found[0] + option, hint)


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


def report_click(error: click.ClickException, args: Sequence[str]) -> int:
    """Print an error of click's in our form; ``args`` is the command line."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"see `{context.command_path} -h`" if context is not None else "see `wscli -h`"
    meant = getattr(error, "possibilities", None)  # of an option, and since click 8.4 of a command
    if meant:
        hint = f"did you mean {meant[0]!r}?"
    if isinstance(error, click.UsageError):
        from wscli.cli.leads import lead_of_usage

        hint = lead_of_usage(error, args) or hint
    message = " ".join((error.message if meant else error.format_message()).split())
    message = (message if message[1:2].isupper() else message[:1].lower() + message[1:]).rstrip(".")
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


def unknown_verb(args: Sequence[str], known: Iterable[str], chosen: Sequence[str]) -> UsageError:
    """Return the error for a verb that does not exist, with the one that may be meant; ``args`` begins with it."""
    from difflib import get_close_matches

    from wscli.cli.leads import lead_of_verb, without_secrets

    word, *rest = args
    hint = lead_of_verb(word, rest, chosen)
    if hint is None:
        meant = get_close_matches(word, known, 1)
        hint = f"did you mean {meant[0]!r}?" if meant else "see `wscli -h`"
    return UsageError(f"no such command {without_secrets([word])[0]!r}", hint)
