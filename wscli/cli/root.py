"""The root command: finds the verb, imports it alone, and turns every end into an exit code."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any, NoReturn

import click

from wscli.cli.errors import hint_of_selection, report, report_click, report_crash, unknown_verb
from wscli.cli.options import instance_options, selection_of
from wscli.errors import ExitCode, WscliError
from wscli.version import __version__

__all__ = ["VERBS", "root", "run_command_line"]

VERBS = {
    "up": "Run the manager of a file.",
    "down": "Stop a manager cleanly.",
    "ls": "List the running instances.",
    "tail": "Print the messages of channels, one a line.",
    "send": "Send one message, or one a line of stdin.",
    "request": "Send a message, and print the one that answers it.",
    "outbox": "List, remove or flush what waits to be sent.",
    "connect": "Talk on a channel or to a URL, interactively.",
    "stats": "Show the counters.",
    "status": "Show the states, with the reason and the next step.",
    "wait": "Block until channels are ready.",
    "start": "Open channels by hand.",
    "stop": "Close channels by hand, until they are started.",
    "restart": "Close channels and open them anew.",
    "rotate": "Replace connections without closing them first.",
    "resubscribe": "Subscribe channels anew on their connections.",
    "pause": "Pause channels.",
    "resume": "End a pause.",
    "consumer": "List, reset or forget named consumers.",
    "token": "Get, list, refresh or forget tokens.",
    "init": "Write a commented file to begin with.",
    "config": "Check, show or describe a configuration file.",
    "explain": "Explain a key of the file: its text, type, default and an example.",
    "service": "Run the manager of a file as a user service.",
    "reload": "Apply what changed in the file.",
    "logs": "Show the manager's own log.",
    "doctor": "Show a channel's last attempt, step by step.",
    "mock": "Replay what `tail --json` wrote, as a local server.",
    "demo": "Run a demo server, a manager on it, and a live view.",
}
"""Every verb, with the first sentence of its help; the module of the same name holds its ``command``."""
_BY_HAND = ("start", "stop", "restart", "rotate", "resubscribe", "pause", "resume")
"""The verbs that share the module ``by_hand``."""


@contextlib.contextmanager
def _ends() -> Iterator[None]:
    """Turn an interrupt and a closed stdout into exit codes before click makes something else of them."""
    try:
        yield
    except BrokenPipeError:
        _silence_stdout()
        raise click.exceptions.Exit(ExitCode.OK) from None
    except KeyboardInterrupt:
        raise click.exceptions.Exit(ExitCode.INTERRUPTED) from None


def _silence_stdout() -> None:
    """Point stdout at /dev/null, so that what is still buffered does not fail once more at exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _drop_what_stdout_refuses() -> None:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        _silence_stdout()


class Root(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the verbs in the order of the table."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb."""
        if cmd_name not in VERBS:
            return None
        by_hand = cmd_name in _BY_HAND
        module = import_module(f"wscli.cli.{'by_hand' if by_hand else cmd_name}")
        command: click.Command = getattr(module, cmd_name if by_hand else "command")
        if not gc.isenabled():  # ``main`` turned it off for as long as modules are imported
            gc.freeze()
            gc.enable()
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, or say which may be meant; ``version`` and ``help VERB`` are the options of that name."""
        if args[0] in VERBS or args[0].startswith("-") or ctx.resilient_parsing:  # a shell that completes
            return super().resolve_command(ctx, args)
        if args[0] == "version":
            click.echo(f"wscli {__version__}")
            ctx.exit()
        if args[0] == "help":
            if args[1:] and args[1] not in ("help", "version", "-h", "--help"):
                return self.resolve_command(ctx, [*args[1:], "--help"])
            click.echo(ctx.get_help())
            ctx.exit()
        name, file = selection_of(ctx)
        raise unknown_verb(args, VERBS, [*(["-i", name] if name else []), *(["-c", file] if file else [])])

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[click.shell_completion.CompletionItem]:
        """Complete a verb without importing any."""
        from click.shell_completion import CompletionItem

        own = click.Command.shell_complete(self, ctx, incomplete)
        return [*(CompletionItem(verb, help=text) for verb, text in VERBS.items() if verb.startswith(incomplete)), *own]

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        """Parse."""
        with _ends():
            return super().make_context(info_name, args, *rest, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        with _ends():
            code = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
            return code


@click.group(cls=Root, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
@instance_options
@click.version_option(
    __version__, "-V", "--version", prog_name="wscli", message="%(prog)s %(version)s", help="Show the version and exit."
)
def root() -> None:
    """Hold one WebSocket connection a channel, shared by every script of this machine.

    One YAML file declares the channels; `wscli up -c FILE` runs the manager that holds them.
    """


def _on_sigterm(number: int, frame: object) -> NoReturn:
    raise SystemExit(ExitCode.TERMINATED)


def run_command_line(args: list[str]) -> int:
    """Run a command line and give its exit code; errors are printed here and nowhere else."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a closed one is None, a replaced one may lack it
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # for the same reason
    with contextlib.suppress(ValueError):  # not the main thread: then whoever owns it decides
        signal.signal(signal.SIGTERM, _on_sigterm)
    chosen: dict[str, str] = {}  # what -i and -c said, which `options` keeps
    try:
        return int(root.main(args, "wscli", standalone_mode=False, obj=chosen) or 0)
    except WscliError as error:
        if error.hint:
            error.hint = hint_of_selection(error.hint, chosen.get("instance_name"), chosen.get("instance_file"))
        return report(error)
    except click.ClickException as error:
        return report_click(error, args)
    except click.Abort:
        return ExitCode.INTERRUPTED
    except OSError as error:
        _drop_what_stdout_refuses()
        where = f" {error.filename!r}" if error.filename else ""
        return report(WscliError(f"{(error.strerror or str(error)).lower()}{where}"))
    except Exception as error:  # the last resort: a user gets a message, not a traceback
        return report_crash(error)
