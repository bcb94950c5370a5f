"""Names: of the instance, of endpoints, tokens and policies, of channels and their templates."""

from __future__ import annotations

import re
from pathlib import Path

from wscli.config.checks.context import Context
from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Mark
from wscli.config.reading.source import STDIN
from wscli.control.paths import is_instance_name
from wscli.templates import TemplateError, compile_name
from wscli.values import shown

__all__ = ["channel_params", "check_names", "instance_name"]

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TOKEN_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LONGEST_CHANNEL = 200
DEFAULT_FILES = ("wscli.yaml", "wscli.yml")


def instance_name(located: Located | None, file: Path, context: Context) -> str:
    """Give the declared name, or one made of the file's: its stem, or its directory's name for wscli.yaml."""
    if located is not None:
        name = str(located.text or "")
        if located.text is not None and not is_instance_name(name) and not context.problems.at(located.mark):
            made = _made_of(name) if name == located.text.redacted else ""
            near = f", such as {made!r}" if made else ""
            context.add(
                located, f"{shown(located.text)} cannot name an instance; use 1 to 32 of a-z, 0-9, '_' and '-'{near}"
            )
        return name
    source = "stdin" if file == STDIN else file.parent.name if file.name in DEFAULT_FILES else file.stem
    name = _made_of(source)
    if not name:
        context.problems.add(Mark(1, 1), (), f"no instance name can be made of {source!r}; add 'name:'")
    return name


def _made_of(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")[:32].rstrip("-")


def check_names(located: Located | None, what: str, context: Context) -> None:
    """Refuse names that cannot be typed, printed or referred to."""
    of_token = what == "a token source"
    pattern = _TOKEN_NAME if of_token else _NAME
    for name, value in located.entries() if located is not None else ():
        if not pattern.fullmatch(name):
            letters = "letters, digits, '_' and '-'" if of_token else "letters, digits, '_', '.' and '-'"
            context.add(value, f"{name!r} cannot name {what}; use 1 to 64 {letters}", key=True)


def channel_params(located: Located, context: Context) -> tuple[str, ...]:
    """Check a channel's name, and give its parameters; a plain channel has none."""
    name = located.key
    if wrong := _wrong_channel(name):
        context.add(located, f"{name!r} cannot name a channel: {wrong}", key=True)
        return ()
    try:
        return compile_name(name).params
    except TemplateError as error:
        context.add(located, str(error), key=True)
        return ()


def _wrong_channel(name: str) -> str | None:
    if not name:
        return "it is empty"
    if len(name) > _LONGEST_CHANNEL:
        return f"it is longer than {_LONGEST_CHANNEL} characters"
    if not name.isprintable() or any(sign.isspace() for sign in name):
        return "it holds a blank or an unprintable character"
    if name.startswith("-"):
        return "a command would take it for an option"
    if "://" in name:
        return "`wscli connect` would take it for a URL"
    return None
