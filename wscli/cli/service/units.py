"""What a service manager is given to read: the text of a systemd user unit, and of a launchd agent."""

from __future__ import annotations

import itertools
import plistlib
import re
from pathlib import Path
from typing import Any, NamedTuple

from wscli.errors import WscliError

__all__ = ["Service", "file_in", "is_ours", "launchd_agent", "systemd_unit"]

MARK = "Written by wscli service install"
_SAFE = re.compile(r"[A-Za-z0-9_/.=@+-]+")
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, the end of a line among them, and bytes of a path that are no UTF-8."""
_FILE = "# file: "


class Service(NamedTuple):
    """A manager that is to run as a service; every path is absolute."""

    name: str
    file: Path
    python: str
    environment: Path
    """A file of NAME=value lines, which need not exist: what the ``${VAR}`` of the YAML file stand for."""
    log: Path
    """Where its log goes, where nothing else collects it."""
    log_level: str = "info"
    """The lowest level that it logs."""

    @property
    def title(self) -> str:
        """What the service is called."""
        return f"wscli-{self.name}"

    def wscli(self, *args: str) -> list[str]:
        """Give a command line; -P keeps the working directory out of where Python looks for modules."""
        return [self.python, "-P", "-m", "wscli", *args]

    def up(self) -> list[str]:
        """Give the command line that runs the manager."""
        level = [] if self.log_level == "info" else ["--log-level", self.log_level]
        return self.wscli("up", "-c", _plain(self.file), *level)


_UNIT = """\
# {mark}, which may write it anew.
# Changes of yours belong into `systemctl --user edit {title}`.
{file_line}

[Unit]
Description=wscli, the WebSocket connections of {name}

[Service]
Type=notify
ExecStart={start}
# It says whether the file was applied, as a signal could not.
ExecReload={reload}
# What the file's ${{VAR}} stand for, one NAME=value a line.
EnvironmentFile=-{environment}
Restart=on-failure
RestartSec=5s
# An unusable command line, an invalid file: another try would meet the same.
RestartPreventExitStatus=2 3
SuccessExitStatus=143
# It is alive while its event loop turns.
WatchdogSec=30s
TimeoutStopSec=10s
# It ends the commands of tokens and hooks itself; one that fails ends nothing else.
KillMode=mixed
OOMPolicy=continue
# A core dump would hold tokens.
LimitCORE=0
UMask=0077
# All of these hold for the commands of tokens and hooks as well.
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes

[Install]
WantedBy=default.target
"""


def systemd_unit(service: Service) -> str:
    """Write a user unit, systemd.service(5).

    Type=notify with a command that reloads serves every systemd; Type=notify-reload needs 253, and cannot tell that a
    file was refused.

    Raises:
        WscliError: a path cannot be written in it.
    """
    return _UNIT.format(
        mark=MARK,
        title=service.title,
        name=service.name,
        file_line=_FILE + _plain(service.file),
        start=_command(service.up()),
        reload=_command(service.wscli("reload", "-i", service.name)),
        environment=_plain(service.environment).replace("%", "%%"),
    )


def _command(argv: list[str]) -> str:
    """Quote a command line; a colon, which systemd knows since 244, keeps a ``$`` from being a variable."""
    if set(argv[0]) & set("\"'\\"):  # which systemd allows in arguments, and in no program's path
        argv = ["/usr/bin/env", *argv]
    return (":" if any("$" in word for word in argv) else "") + " ".join(map(_quoted, argv))


def _quoted(word: str) -> str:
    if _SAFE.fullmatch(word):
        return word
    escaped = _plain(word).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _plain(path: Path | str) -> str:
    text = str(path)
    if _UNWRITABLE.search(text):
        raise WscliError(
            f"{text!r} cannot be written in a unit file", "give it a path without control characters, in UTF-8"
        )
    return text


_START = 'if [ -r "$0" ]; then set -a; . "$0"; set +a; fi; exec "$@"'
"""Takes the environment's file and the command as its arguments, so that nothing needs to be quoted."""


def launchd_agent(service: Service) -> str:
    """Write a property list, launchd.plist(5).

    launchd knows no files of environments, so a shell reads it, and becomes the manager.

    Raises:
        WscliError: a path cannot be written in it.
    """
    up = [*service.up(), "--log-file", _plain(service.log)]
    agent: dict[str, Any] = {
        "Label": service.title,
        "ProgramArguments": ["/bin/sh", "-c", _START, _plain(service.environment), *map(_plain, up)],
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ExitTimeOut": 10,
        "Umask": 0o077,
        "HardResourceLimits": {"Core": 0},
        "StandardOutPath": str(service.log),
        "StandardErrorPath": str(service.log),
    }
    head, _, rest = plistlib.dumps(agent, sort_keys=False).decode().partition("<plist ")
    return f"{head}<!-- {MARK}, which may write it anew. -->\n<plist {rest}"


def is_ours(text: str) -> bool:
    """Say whether wscli wrote it."""
    return MARK in text[:400]


def file_in(text: str) -> str | None:
    """Give the file that a unit or an agent of ours runs."""
    if text.startswith("<?xml"):
        words = plistlib.loads(text.encode()).get("ProgramArguments", [])
        pairs = itertools.pairwise(words)
        return next((after for word, after in pairs if word == "-c" and after != _START), None)
    return next((line.removeprefix(_FILE) for line in text.split("\n") if line.startswith(_FILE)), None)
