"""``wscli init``: a commented file to begin with."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from shlex import quote

import click

from wscli.cli.options import file_option, selection_of
from wscli.cli.printing import note, put
from wscli.errors import UsageError, WscliError
from wscli.session.preset import preset_names

DEFAULT_FILE = "wscli.yaml"
PLAIN = """\
# The connections of this file are held by one manager, `wscli up -d`, and shared by all who use them.
# `wscli config check` checks the file, `wscli explain KEY` explains a key, such as channels.history.
version: 1

endpoints:
  api:
    url: wss://api.example.com/ws
    # headers: {Authorization: "Bearer {token.api}"}
    # query: {token: "{token.api}"}
    # subprotocols: [chat.v2]

# Where a token comes from; it is fetched as it is needed, and renewed before it expires.
# tokens:
#   api:
#     http: {post: https://api.example.com/token, headers: {Authorization: "Bearer ${API_KEY}"}}
#     read: {token: .token, expires_in: .expires_in}

channels:
  events: {endpoint: api, path: /events}
  # rooms/{id}:                       # `wscli tail rooms/42` opens it
  #   endpoint: api
  #   path: /rooms/{id}
  #   linger: 30s                     # closes so long after its last use
  # orders:
  #   endpoint: api
  #   path: /orders
  #   history: {store: disk}          # kept through restarts and crashes
"""
_VARIABLE = re.compile(r"\$\{(\w+)(?=[}:])(?!:-)|\benv: *(\w+)")
"""``${VAR}`` without a default, and ``env: VAR``."""


def variables_of(text: str) -> list[str]:
    """Give the environment variables that a file needs, in their order; comments do not count."""
    code = "\n".join(re.sub(r"(^|\s)#.*", "", line) for line in text.splitlines())
    return list(dict.fromkeys(one or other for one, other in _VARIABLE.findall(code)))


def _file_of(preset: str) -> str:
    names = preset_names()
    if preset not in names:
        near = get_close_matches(preset, names, 1)
        listed = f"the presets are {', '.join(names)}"
        raise UsageError(f"unknown preset: {preset!r}", f"did you mean {near[0]!r}? {listed}" if near else listed)
    from wscli.config.presets import preset_init

    head = f"# The preset {preset}: `wscli config show --resolved CHANNEL` prints what a channel is with it.\n"
    return head + preset_init(preset)


def _complete_presets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in preset_names() if name.startswith(incomplete)]


def _write(path: Path, text: str) -> None:
    """Write a file that is not there, or that a shell has just made for `> FILE`."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        if path.stat().st_size:
            raise WscliError(
                f"{str(path)!r} is there already, and was not changed", "another FILE, or - for stdout: `wscli init -`"
            ) from None
        path.write_text(text, encoding="utf-8")


@click.command("init")
@click.argument("named", required=False, metavar="[FILE]", type=click.Path())
@file_option("The file to write.")
@click.option(
    "--preset",
    metavar="NAME",
    shell_complete=_complete_presets,
    help=f"Begin with a protocol: {', '.join(preset_names())}.",
)
def command(named: str | None, preset: str | None) -> int:
    """Write a commented file to begin with.

    It goes to FILE, or -c FILE, or wscli.yaml in this directory; - is stdout. A file that is there is not changed. With
    --preset it has what that protocol leaves to you, and the environment variables that it needs are named:

      wscli init --preset slack
    """
    chosen = selection_of(click.get_current_context()).file
    if named and chosen:
        raise UsageError(f"both {named!r} and -c choose a file", "give one of them")
    text = PLAIN if preset is None else _file_of(preset)
    path = named or chosen or DEFAULT_FILE
    if path == "-":
        put(text)
        return 0
    _write(Path(path), text)
    option = "" if os.path.relpath(path) == DEFAULT_FILE else f" -c {quote(path)}"
    steps = ["edit it"] if "example.com" in text else []
    steps += [f"set {name}" for name in variables_of(text)]
    steps += [f"`wscli {verb}{option}`" for verb in ("config check", "up -d")]
    note(f"wrote {path!r}; now {', '.join(steps)}")
    return 0
