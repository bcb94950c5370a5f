"""The service managers of a user: systemd on Linux, launchd on macOS. Each is spoken to by its own command."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

from wscli.cli.service.units import launchd_agent, systemd_unit
from wscli.errors import WscliError

__all__ = ["SUPERVISORS", "Supervisor", "local"]

_PATIENCE = 120.0
"""Seconds for a command of theirs, which waits for the manager to be up."""


def _ask(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE, check=False, errors="replace"
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", f"{command[0]} is not installed")
    except OSError as error:
        return subprocess.CompletedProcess(command, 126, "", (error.strerror or str(error)).lower())
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"{command[0]} gave no answer in {_PATIENCE:g} s")


def _why(failed: subprocess.CompletedProcess[str]) -> str:
    """Give the last line that it said of an error."""
    lines = failed.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {failed.returncode}"


def _home() -> Path:
    if home := os.environ.get("HOME"):
        return Path(home)
    raise WscliError("the directory of services is unknown: HOME is not set", "set HOME to your home directory")


class _Systemd:
    """The user's own systemd, which runs while the user is logged in, or always with lingering."""

    text = staticmethod(systemd_unit)
    """The file of a service."""

    def path(self, title: str) -> Path:
        """Where it looks for the file of a service of the user's."""
        base = os.environ.get("XDG_CONFIG_HOME")
        return (Path(base) if base else _home() / ".config") / "systemd" / "user" / f"{title}.service"

    def environment(self) -> dict[str, str] | None:
        """Give what its services inherit; None where that cannot be known."""
        answer = _ask("systemctl", "--user", "show-environment")
        if answer.returncode:
            return None
        pairs = [line.partition("=") for line in answer.stdout.splitlines()]
        return {name: value.removeprefix("$").strip("'") for name, sign, value in pairs if sign}

    def is_active(self, title: str) -> bool:
        """Whether it runs the service."""
        return _ask("systemctl", "--user", "is-active", f"{title}.service").returncode == 0

    def start(self, title: str) -> None:
        """Have the service run, now and at each login.

        Raises:
            WscliError: it does not.
        """
        answer = _ask("systemctl", "--user", "daemon-reload")
        if answer.returncode:
            raise WscliError(
                f"no user manager of systemd answers to start {title}: {_why(answer)}",
                f"in a login of your own, no su or sudo: `{self.start_command(title)}`; where there is no"
                " systemd, `wscli up -d` runs it",
            )
        answer = _ask("systemctl", "--user", "enable", "--now", f"{title}.service")
        if answer.returncode:
            raise WscliError(
                f"{title} does not start: {_why(answer)}", f"`journalctl --user -u {title} -n 20` says why"
            )

    def start_command(self, title: str) -> str:
        """What does the same by hand."""
        return f"systemctl --user daemon-reload && systemctl --user enable --now {title}"

    def restart_command(self, title: str) -> str:
        """What has a changed file apply, by hand."""
        return f"systemctl --user daemon-reload && systemctl --user restart {title}"

    def stop(self, title: str) -> bool:
        """Stop the service; return False if no service manager answers.

        Raises:
            WscliError: it runs on.
        """
        if _ask("systemctl", "--user", "daemon-reload").returncode:
            path = self.path(title)
            with contextlib.suppress(OSError):  # what enabled it
                (path.parent / "default.target.wants" / path.name).unlink()
            return False
        answer = _ask("systemctl", "--user", "disable", "--now", f"{title}.service")
        if answer.returncode:
            raise WscliError(f"{title} cannot be stopped: {_why(answer)}", f"see `systemctl --user status {title}`")
        return True

    def forget(self, title: str) -> None:
        """Take note that the file is gone."""
        _ask("systemctl", "--user", "daemon-reload")
        _ask("systemctl", "--user", "reset-failed", f"{title}.service")


class _Launchd:
    """The user's own launchd, which runs while the user is logged in: the same methods as those of `_Systemd`."""

    text = staticmethod(launchd_agent)

    def path(self, title: str) -> Path:
        return _home() / "Library" / "LaunchAgents" / f"{title}.plist"

    def environment(self) -> dict[str, str] | None:
        return None

    def is_active(self, title: str) -> bool:
        return _ask("launchctl", "print", f"{_domain()}/{title}").returncode == 0

    def start(self, title: str) -> None:
        if self.is_active(title):
            return
        answer = _ask("launchctl", "bootstrap", _domain(), str(self.path(title)))
        if answer.returncode:
            raise WscliError(
                f"launchd does not start {title}: {_why(answer)}",
                f"in a login of your own: `{self.start_command(title)}`; `wscli up -d` runs it without launchd",
            )

    def start_command(self, title: str) -> str:
        return f"launchctl bootstrap {_domain()} {shlex.quote(str(self.path(title)))}"

    def restart_command(self, title: str) -> str:
        return f"launchctl bootout {_domain()}/{title} && {self.start_command(title)}"

    def stop(self, title: str) -> bool:
        if not self.is_active(title):
            return False
        answer = _ask("launchctl", "bootout", f"{_domain()}/{title}")
        if answer.returncode:
            raise WscliError(f"{title} cannot be stopped: {_why(answer)}", f"see `launchctl print {_domain()}/{title}`")
        return True

    def forget(self, title: str) -> None:
        """Nothing: it has no copy of the file."""


def _domain() -> str:
    return f"gui/{os.getuid()}"


Supervisor = _Systemd | _Launchd

SUPERVISORS: dict[str, Supervisor] = {"systemd": _Systemd(), "launchd": _Launchd()}
"""By the name of the format that each reads."""


def local() -> str:
    """Give the name of the one of this machine."""
    return "launchd" if sys.platform == "darwin" else "systemd"
