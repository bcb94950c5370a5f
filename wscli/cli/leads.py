"""Where a command line was meant for docker compose, kubectl, wscat or websocat: the one of ours that does the same."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence

import click

__all__ = ["lead_of_usage", "lead_of_verb", "without_secrets"]

_VERBS: Mapping[str, str] = {
    "apply": "up",
    "ask": "request",
    "attach": "connect",
    "call": "request",
    "cat": "tail",
    "channels": "status",
    "check": "config check",
    "consumers": "consumer ls",
    "convert": "config show",
    "describe": "doctor",
    "dial": "connect",
    "emit": "send",
    "events": "status --watch",
    "exec": "connect",
    "follow": "tail",
    "get": "status",
    "health": "status --check",
    "info": "status",
    "inspect": "doctor",
    "install": "service install",
    "list": "ls",
    "listen": "tail",
    "metrics": "stats",
    "open": "start",
    "ps": "status",
    "pub": "send",
    "publish": "send",
    "queue": "outbox ls",
    "run": "up",
    "schema": "config schema",
    "serve": "up",
    "show": "config show",
    "shutdown": "down",
    "sub": "tail",
    "subscribe": "tail",
    "tokens": "token ls",
    "top": "status --watch",
    "uninstall": "service uninstall",
    "unpause": "resume",
    "validate": "config check",
    "watch": "status --watch",
}
_OF_CHANNELS = {"up": "start", "down": "stop", "logs": "tail", "reload": "restart", "ls": "status"}
"""What a verb of an instance is for channels, which compose takes as its services."""
_WITH_A_KIND = ("describe", "get", "inspect", "list")
_KINDS = ("all", "channel", "channels", "pod", "pods", "service", "services")
"""What kubectl wants after these words."""
_ENDS = ("kill", "rm", "remove", "close")
"""Words that end channels where they are named, else the instance."""
_RENAMED: Mapping[str, str] = {
    "--config": "-c",
    "--connect": "connect",
    "--filename": "-c",
    "-f": "-c",
    "--lines": "--last",
    "--tail": "--last",
    "--name": "-i",
    "--project": "-i",
    "--project-name": "-i",
    "-p": "-i",
    "-w": "--watch",
}
_BELOW: Mapping[str, Mapping[str, str]] = {
    "config": {"lint": "check", "test": "check", "validate": "check", "print": "show", "view": "show"},
    "consumer": {"delete": "rm", "list": "ls", "remove": "rm"},
    "outbox": {"delete": "rm", "list": "ls", "remove": "rm", "send": "flush"},
    "token": {"list": "ls", "print": "get", "show": "get", "revoke": "forget", "rm": "forget"},
}
_FORMATS = ("-o", "--output", "--format")
_NAMED = ("restart", "resubscribe", "rotate", "start", "stop", "tail", "wait")
"""Verbs that want the names of channels."""
_NEEDLESS = ("-a", "--all", "-q", "--quiet", "-v", "--verbose", "--no-color", "--no-stream", "--no-log-prefix")


def lead_of_verb(word: str, rest: Sequence[str], chosen: Sequence[str]) -> str | None:
    """Give the hint for a first word that is not a verb; ``chosen`` are the options before it."""
    if "://" in word:
        return _did_you_mean(["connect", word, *rest])
    if _is_file(word):
        return _did_you_mean(["up", "-c", word, *rest])
    if word in _ENDS:
        named = [one for one in rest if not one.startswith("-")]
        return _did_you_mean([*chosen, "stop" if named else "down", *named])
    if word in _WITH_A_KIND and rest and rest[0] in _KINDS:
        rest = rest[1:]
    return _did_you_mean([*chosen, *_VERBS[word].split(), *_with_files(rest)]) if word in _VERBS else None


def _with_files(args: Sequence[str]) -> list[str]:
    """Put -c before each file, in place of the option that another tool has for it."""
    named: list[str] = []
    for one in args:
        if not _is_file(one):
            named.append(one)
            continue
        if named and _RENAMED.get(named[-1]) == "-c":
            named.pop()
        named += [one] if named[-1:] == ["-c"] else ["-c", one]
    return named


def lead_of_usage(error: click.UsageError, args: Sequence[str]) -> str | None:
    """Give the hint for options and arguments that a verb does not take; ``args`` is the whole command line."""
    if error.ctx is None:
        return None
    if isinstance(error, click.NoSuchOption):
        return _of_option(error.option_name, error.ctx.command, list(args))
    extra = re.search(r"unexpected extra arguments? \((.*)\)", error.message)
    if extra is not None:
        return _of_extra(extra[1].split(" ")[0], error.ctx.command, list(args))
    unknown = re.match(r"No such command '(.*)'", error.message)
    if unknown is not None:
        return _of_group(unknown[1], error.ctx.command, list(args))
    if error.message == "Missing command.":
        url = next((one for one in args if "://" in one), None)
        is_config = error.ctx.command.name == "config"
        return _did_you_mean(["connect", url] if url else [*args, "show"]) if url or is_config else None
    return None


def _of_group(word: str, command: click.Command, args: list[str]) -> str | None:
    name = command.name or ""
    if word not in args or name not in args:
        return None
    at = args.index(word, args.index(name))
    if name == "config" and _is_file(word):
        return _did_you_mean([*args[:at], "show", *args[at:]])
    meant = _BELOW.get(name, {}).get(word)
    return None if meant is None else _did_you_mean([*args[:at], meant, *args[at + 1 :]])


def _of_option(name: str, command: click.Command, args: list[str]) -> str | None:
    place = next((at for at, one in enumerate(args) if one == name or one.startswith(f"{name}=")), None)
    if place is None:  # -ojson
        place = next((at for at, one in enumerate(args) if one.startswith(name) and not name.startswith("--")), None)
    if place is None:
        return None
    inline = args[place].removeprefix(name).removeprefix("=")
    value = inline or (args[place + 1] if place + 1 < len(args) else "")
    after = args[place + 1 if inline else place + 2 :]
    known = {option for parameter in command.params for option in parameter.opts}
    if name in _FORMATS and value == "json" and "--json" in known:
        return _did_you_mean([*args[:place], *([] if "--json" in args else ["--json"]), *after])
    if name in ("-a", "--all") and command.name in _NAMED:
        return "name the channels; `wscli status` lists them"
    if name in _NEEDLESS and len(args) > 1:
        return _did_you_mean([*args[:place], *args[place + 1 :]])
    to = _RENAMED.get(name)
    if to == "connect":
        return _did_you_mean(["connect", value])
    if to == "-c" and not _is_file(value):
        return None
    if to == "--watch":
        return _did_you_mean([*args[:place], to, *args[place + 1 :]]) if to in known else None
    return _did_you_mean([*args[:place], to, value, *after]) if to in known and value else None


def _of_extra(extra: str, command: click.Command, args: list[str]) -> str | None:
    name = command.name or ""
    if extra not in args or name not in args:
        return None
    at, verb = args.index(extra, args.index(name)), args.index(name)
    if _is_file(extra) and any("-c" in parameter.opts for parameter in command.params):
        return _did_you_mean([*args[:at], "-c", extra, *args[at + 1 :]])
    if name in ("send", "request") and not any(one.startswith("-") for one in args[verb:]):
        return _did_you_mean([*args[: verb + 2], " ".join(args[verb + 2 :])])
    if name in _OF_CHANNELS:
        kept = [one for one in args[verb + 1 :] if one not in ("-d", "--detach")]
        return _did_you_mean([*args[:verb], _OF_CHANNELS[name], *kept])
    return None


def _is_file(word: str) -> bool:
    return word.endswith((".yaml", ".yml")) or ("/" in word and os.path.isfile(word))  # noqa: PTH113 - as in `selection`


def _did_you_mean(args: Sequence[str]) -> str:
    return f"did you mean `{shlex.join(['wscli', *without_secrets(args)])}`?"


def without_secrets(args: Sequence[str]) -> list[str]:
    """Leave out what may hold a token: headers, and what stands in a URL beside host and path."""
    shown = []
    for before, one in zip(["", *args], args, strict=False):
        if before in ("-H", "--header"):
            shown.append("...")
        else:
            shown.append(re.sub(r"(?<=://)[^/@]*@|(?<=\?).*", "...", one) if "://" in one else one)
    return shown
