"""``wscli token``: the manager's tokens, for other scripts."""

from __future__ import annotations

import json
import sys

import click

from wscli.cli.options import json_option, token_argument, with_instance
from wscli.cli.printing import note, put
from wscli.cli.words import duration
from wscli.control.client import ask
from wscli.control.escape import escape
from wscli.control.selection import Selection

FETCH_DEADLINE = 120.0
"""Seconds for a token to be fetched; its source has a shorter deadline of its own."""


def get(selection: Selection, name: str) -> int:
    """Print a token."""
    token = ask(selection, "token", {"action": "get", "name": name}, timeout=FETCH_DEADLINE)["token"]
    put((escape(token) if sys.stdout is not None and sys.stdout.isatty() else token) + "\n")
    return 0


def ls(selection: Selection, *, as_json: bool) -> int:
    """List the tokens, without a value."""
    tokens = ask(selection, "token", {"action": "ls"})["tokens"]
    if as_json:
        put(json.dumps(tokens, separators=(",", ":")) + "\n")
    else:
        from wscli.cli.tables import tokens_text

        put(tokens_text(tokens))
    return 0


def refresh(selection: Selection, name: str) -> int:
    """Fetch a token anew."""
    facts = ask(selection, "token", {"action": "refresh", "name": name}, timeout=FETCH_DEADLINE)
    left = facts["expires_in_s"]
    note(f"token {name!r} is fresh" + ("" if left is None else f", and expires in {duration(left)}"))
    return 0


def forget(selection: Selection, name: str) -> int:
    """Drop a token."""
    ask(selection, "token", {"action": "forget", "name": name})
    note(f"token {name!r} is forgotten")
    return 0


@click.group("token", no_args_is_help=False)
def command() -> None:
    """Get, list, refresh or forget tokens.

    One fetch serves every channel and every script, for as long as the token lives.
    """


@command.command("get")
@with_instance
@token_argument
def get_command(selection: Selection, name: str) -> int:
    """Print a token, fetching it only if there is none that is valid.

    Exits with 4 if it cannot be had.
    """
    return get(selection, name)


@command.command("ls")
@with_instance
@json_option("One JSON object, with a key for each token.")
def ls_command(selection: Selection, as_json: bool) -> int:
    """List the tokens: their state and their counters, never a value."""
    return ls(selection, as_json=as_json)


@command.command("refresh")
@with_instance
@token_argument
def refresh_command(selection: Selection, name: str) -> int:
    """Fetch a token anew; connections that are open are not disturbed."""
    return refresh(selection, name)


@command.command("forget")
@with_instance
@token_argument
def forget_command(selection: Selection, name: str) -> int:
    """Drop a token, so that the next use fetches another."""
    return forget(selection, name)
