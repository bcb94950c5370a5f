"""``wscli service``: have a file's manager run whenever its user does, by systemd or launchd."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wscli.cli.config import file_of
from wscli.cli.detach import log_file
from wscli.cli.options import instance_options, level_option, selection_of
from wscli.cli.printing import note, put
from wscli.cli.service.managers import SUPERVISORS, Supervisor, local
from wscli.cli.service.units import Service, file_in, is_ours
from wscli.control.paths import is_instance_name, state_directory
from wscli.control.selection import Selection, running
from wscli.errors import ConfigError, UsageError, WscliError

if TYPE_CHECKING:
    from wscli.control.requests import LogLevel

__all__ = ["read_environment"]

_LOGIN = ("HOME", "USER", "LOGNAME", "SHELL", "PATH", "LANG", "XDG_RUNTIME_DIR")
"""The part of a shell's environment that a service has, if its service manager does not answer."""


def _service(selection: Selection, log_level: LogLevel) -> Service:
    from wscli.config.loading import name_of

    file = file_of(selection, None, os.environ)
    if str(file) == "-":
        raise UsageError("a service reads its file at each start, and '-' is stdin", "give -c FILE")
    file = Path(os.path.realpath(file))
    name = name_of(file, os.environ)
    base = os.environ.get("XDG_CONFIG_HOME") or Path(os.environ.get("HOME") or "/", ".config")
    return Service(
        name=name,
        file=file,
        python=os.path.abspath(sys.executable),  # noqa: PTH100 - a link in a virtual environment stays one
        environment=Path(base, "wscli", f"{name}.env"),
        log=Path(state_directory(os.environ), f"{name}.log"),
        log_level=log_level,
    )


def _check(service: Service, supervisor: Supervisor) -> None:
    """Refuse an invalid file; say what is missing where only this shell makes it valid."""
    from wscli.config.loading import load

    own = read_environment(service.environment)
    load(service.file, {**os.environ, **own})
    inherited = supervisor.environment()
    if inherited is None:
        inherited = {name: os.environ[name] for name in _LOGIN if name in os.environ}
    try:
        load(service.file, {**inherited, **own})
    except ConfigError as error:
        note("the service will not have this shell's environment, and without it the file is not valid:")
        for line in error.message.splitlines():
            note(line)
        note(f"hint: put the variables into {service.environment}, one NAME=value a line")


def read_environment(path: Path) -> dict[str, str]:
    """Read NAME=value lines much as systemd does: quotes are removed, ``#`` and ``;`` begin comments.

    Raises:
        WscliError: it is there, and cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                note(f"others can read {path}; `chmod 600 {shlex.quote(str(path))}`")
            lines = file.read().splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is not valid UTF-8"
        raise WscliError(f"{str(path)!r} cannot be read: {why}", "it holds one NAME=value a line") from None
    found = {}
    for line in map(str.strip, lines):
        name, sign, value = line.partition("=")
        if sign and line[0] not in "#;":
            with contextlib.suppress(ValueError):  # a quote that is not closed stands for itself
                value = " ".join(shlex.split(value))
            found[name.strip()] = value
    return found


def _refuse_foreign(path: Path) -> None:
    """Leave alone what wscli did not write, links included."""
    if os.path.lexists(path) and not (path.is_file() and not path.is_symlink() and is_ours(_read(path))):
        raise WscliError(
            f"{str(path)!r} was not written by wscli", "move it away, or give the file of wscli another 'name:'"
        )


def _refuse_running(service: Service) -> None:
    for instance in running(os.environ):
        if instance.name == service.name:
            raise WscliError(
                f"instance {service.name!r} runs already as pid {instance.pid}, and not as a service",
                f"stop it with `wscli down -i {service.name}`; --no-start installs beside it",
            )


def _installed(selection: Selection, supervisor: Supervisor) -> str:
    """Find which service is meant; its file may be gone, or invalid by now."""
    if selection.name and selection.file:
        raise UsageError("-i and -c both choose an instance", "give one of them")
    if selection.name:
        if not is_instance_name(selection.name):
            raise UsageError(f"invalid instance name: {selection.name!r}", "a name has at most 32 of a-z, 0-9, _ and -")
        return f"wscli-{selection.name}"
    file = os.path.realpath(file_of(selection, None, os.environ))
    every = supervisor.path("wscli-*")
    for path in sorted(every.parent.glob(every.name)):
        text = _read(path)
        if is_ours(text) and file_in(text) == file:
            return path.stem
    raise WscliError(f"no service of {file!r} is installed in {str(every.parent)!r}", "name it: -i NAME")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _write(path: Path, text: str) -> bool:
    """Put a file in place as a whole; say whether it was another before."""
    if _read(path) == text:
        return False
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        reason = (error.strerror or str(error)).lower()
        raise WscliError(f"{str(path)!r} cannot be written: {reason}", "`wscli service show` prints it") from None
    return True


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


@click.group("service", no_args_is_help=False)
def command() -> None:
    """Run the manager of a file as a user service.

    A systemd user unit, wscli-NAME.service, on Linux; a launchd agent, wscli-NAME.plist, on macOS. Variables that the
    file needs (${VAR}) stand in ~/.config/wscli/NAME.env, one NAME=value a line: a service has no shell's environment.
    """


_with_file = functools.partial(
    instance_options, name_help="The file that this instance runs.", file_help="The file to run."
)

_with_level = level_option(
    "--log-level", "The lowest level that the manager logs, as `up --log-level`.", default="info"
)


@command.command("install")
@_with_file
@_with_level
@click.option("--no-start", is_flag=True, help="Write the unit, and leave it to you to start it.")
def install(no_start: bool, log_level: LogLevel) -> int:
    """Check the file, write its unit, start it now and at each login.

    It may be done again at any time: after a move of the file or of Python, the unit is written anew.
    """
    supervisor = SUPERVISORS[local()]
    service = _service(selection_of(click.get_current_context()), log_level)
    _check(service, supervisor)
    title, path = service.title, supervisor.path(service.title)
    _refuse_foreign(path)
    active = supervisor.is_active(title)
    if not (no_start or active):
        _refuse_running(service)
    changed = _write(path, supervisor.text(service))
    note(f"{title}: {path} {'is written' if changed else 'is up to date'}")
    if no_start:
        note(f"hint: start it with `{supervisor.start_command(title)}`")
        return 0
    if local() == "launchd":
        log_file(service.name)  # it makes no directory
    supervisor.start(title)
    if not active:
        note(f"{title}: is up, and starts when you log in")
    elif changed:
        note(f"{title}: runs on as it was started")
        note(f"hint: `{supervisor.restart_command(title)}` applies what changed")
    else:
        note(f"{title}: runs already")
    if not active and local() == "systemd" and not Path("/var/lib/systemd/linger", _user()).exists():
        note("hint: `loginctl enable-linger` starts it at boot, and keeps it when you log out")
    return 0


@command.command("uninstall")
@functools.partial(instance_options, name_help="The service of this name.", file_help="The service of this file.")
def uninstall() -> int:
    """Stop the service, and remove its unit.

    -i NAME serves where the file is gone.
    """
    supervisor = SUPERVISORS[local()]
    title = _installed(selection_of(click.get_current_context()), supervisor)
    path = supervisor.path(title)
    if not os.path.lexists(path):
        raise WscliError(
            f"{title} is not installed: {str(path)!r} does not exist", f"`ls {path.parent}` lists services"
        )
    _refuse_foreign(path)
    stopped = supervisor.stop(title)
    path.unlink()
    supervisor.forget(title)

    note(f"{title}: stopped" if stopped else f"{title}: not stopped, since it does not run")
    note(f"{title}: {path} is removed")
    return 0


@command.command("show")
@_with_file
@_with_level
@click.option(
    "--format",
    "kind",
    type=click.Choice(list(SUPERVISORS)),
    default=local,
    show_default="this machine's",
    help="Whose unit.",
)
def show(kind: str, log_level: LogLevel) -> int:
    """Print the unit that `install` would write."""
    put(SUPERVISORS[kind].text(_service(selection_of(click.get_current_context()), log_level)))
    return 0
