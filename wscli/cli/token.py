"""``wscli token``: the manager's tokens, for other scripts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from wscli.cli.formatting import duration
from wscli.cli.options import json_option, token_argument, with_instance
from wscli.cli.printing import json_lines, note, put
from wscli.control.client import ask
from wscli.control.selection import Selection
from wscli.control.text import escape

if TYPE_CHECKING:
    from wscli.control.requests import TokenList, TokenRequest

FETCH_DEADLINE = 120.0
"""Seconds for a token to be fetched; its source has a shorter deadline of its own."""


@click.group("token", no_args_is_help=False)
def command() -> None:
    """Get, list, refresh or forget tokens.

    One fetch serves every channel and every script, for as long as the token lives.
    """


@command.command("get")
@with_instance
@token_argument
def get(selection: Selection, name: str) -> int:
    """Print a token, fetching it only if no valid one is cached.

    Exits with 4 if it cannot be had.
    """
    request: TokenRequest = {"action": "get", "name": name}
    token = ask(selection, "token", request, timeout=FETCH_DEADLINE)["token"]
    put((escape(token) if sys.stdout is not None and sys.stdout.isatty() else token) + "\n")
    return 0


@command.command("ls")
@with_instance
@json_option("One JSON object, with a key for each token.")
def ls(selection: Selection, as_json: bool) -> int:
    """List the tokens: their state, their counters and their last failure, never a value."""
    from wscli.cli.tables import tokens_text

    request: TokenList = {"action": "ls"}
    tokens = ask(selection, "token", request)["tokens"]
    put(json_lines([tokens]) if as_json else tokens_text(tokens))
    return 0


@command.command("refresh")
@with_instance
@token_argument
def refresh(selection: Selection, name: str) -> int:
    """Fetch a token anew; connections that are open are not disturbed."""
    request: TokenRequest = {"action": "refresh", "name": name}
    left = ask(selection, "token", request, timeout=FETCH_DEADLINE)["expires_in_s"]
    note(f"token {name!r} is fresh" + ("" if left is None else f", and expires in {duration(left)}"))
    return 0


@command.command("forget")
@with_instance
@token_argument
def forget(selection: Selection, name: str) -> int:
    """Drop a token, and a remembered refresh token, so that the next use fetches another."""
    request: TokenRequest = {"action": "forget", "name": name}
    ask(selection, "token", request)
    note(f"token {name!r} is forgotten")
    return 0
