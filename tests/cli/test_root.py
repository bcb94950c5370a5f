"""The program as a whole: help everywhere, one line and a hint for every mistake, and the exit codes."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.commands import Cli, cli
from tests.processes import Wscli, wscli
from wscli.cli import main
from wscli.cli import root as root_module
from wscli.cli.root import VERBS, root
from wscli.version import __version__

__all__ = ["cli", "wscli"]


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every verb, and every one below it, with the words that call it."""
    context = click.Context(root, info_name="wscli")
    for verb in VERBS:
        command = root.get_command(context, verb)
        assert command is not None
        yield verb, command
        if isinstance(command, click.Group):
            for name, below in command.commands.items():
                yield f"{verb} {name}", below


ALL = dict(commands())


@pytest.mark.parametrize("words", ["", *ALL])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_everywhere_on_stdout(words: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words.split(), option]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"Usage: wscli {words}".rstrip())
    assert err == ""


def test_the_list_of_verbs_is_complete_and_says_what_their_own_help_says() -> None:
    for verb, summary in VERBS.items():
        described = (ALL[verb].help or "").strip().split("\n")[0]
        assert described == summary, verb
        assert ALL[verb].name == verb


def test_every_option_is_explained() -> None:
    for words, command in ALL.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"{words} {parameter.opts}"


def test_the_root_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    main(["-h"])
    out = capsys.readouterr().out
    assert all(f"\n  {verb} " in out for verb in VERBS)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"wscli {__version__}\n"


@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        ([], "missing command", "see `wscli -h`"),
        (["statsu"], "no such command 'statsu'", "did you mean 'stats'?"),
        (["frobnify"], "no such command 'frobnify'", "see `wscli -h`"),
        (["--verbose"], "no such option '--verbose'", "did you mean '--version'?"),
        (["stats", "--jsn"], "no such option '--jsn'", "did you mean '--json'?"),
        (["stats", "--zzz"], "no such option '--zzz'", "see `wscli stats -h`"),
        (["wait"], "missing argument 'CHANNEL...'", "see `wscli wait -h`"),
        (["send"], "missing argument 'CHANNEL'", "see `wscli send -h`"),
        (
            ["tail", "c", "--last", "x"],
            "invalid value for '-n' / '--last': 'x' is not a valid number",
            "see `wscli tail -h`",
        ),
        (["tail", "c", "--count", "0"], "0 is not in the range", "see `wscli tail -h`"),
        (["tail", "c", "--last", "-1"], "-1 is not in the range", "see `wscli tail -h`"),
        (["tail", "c", "--since", "yesterday"], "invalid time: 'yesterday'; it must be such as 10m", "`wscli tail -h`"),
        (["tail", "c", "--last", "3", "--since", "1m"], "--last, --since and --after exclude each other", "give one"),
        (["tail", "c", "--last", "0", "--after", "k3f9:1"], "--since and --after exclude each other", "give one"),
        (["tail", "c", "d", "--after", "k3f9:1"], "--after goes with one channel", "one channel's history"),
        (["tail", "c", "--json", "-0"], "--json and -0 exclude each other", "read --json by the line"),
        (["send", "c", "--whole", "-0"], "--whole and -0 exclude each other", "give one of them"),
        (["send", "c", "m", "-0"], "--chunk and --rate are about stdin", "leave one of them out"),
        (["send", "c", "m", "--whole"], "--chunk and --rate are about stdin", "leave one of them out"),
        (["wait", "c", "--for", "redy"], "invalid value for '--for': 'redy' is not one of", "see `wscli wait -h`"),
        (
            ["wait", "c", "--timeout", "5 parsecs"],
            "invalid duration: '5 parsecs'; it must be such as 500ms",
            "see `wscli wait -h`",
        ),
        (["token"], "missing command", "see `wscli token -h`"),
        (["token", "xyz"], "no such command 'xyz'", "see `wscli token -h`"),
        (["token", "refesh"], "no such command 'refesh'", "did you mean 'refresh'?"),
        (["stats", "-i"], "option '-i' requires an argument", "see `wscli -h`"),
        (["ls", "extra"], "got unexpected extra argument (extra)", "did you mean `wscli status extra`?"),
        (["pause", "c", "--noncritical"], "CHANNEL and --noncritical exclude each other", "give one of them"),
        (["status", "--json", "--line"], "--json and --line exclude each other", "give one of them"),
        (["up", "--wait"], "--wait goes with -d", "`wscli wait CHANNEL`"),
        (["up", "-d", "--timeout", "1s"], "--timeout goes with --wait", "add --wait"),
        (["-i", "app", "up"], "-i chooses a running instance", "-c FILE"),
        (["-i", "app", "demo"], "-i chooses a running instance", "leave it out"),
        (["connect", "http://x"], "invalid WebSocket URL: 'http://x'", "ws://HOST/PATH"),
        (["connect", "ws://[x"], "invalid WebSocket URL: 'ws://[x'", "ws://HOST/PATH"),
        (["connect", "ws://x", "-H", "novalue"], "invalid --header", "'Name: value'"),
        (["connect", "calls", "-H", "a: b"], "go with a URL", "declared in its file"),
    ],
)
def test_a_mistake_is_2_with_one_line_and_a_hint(
    args: list[str], message: str, hint: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        assert main(args) == 2
    out, err = capsys.readouterr()
    first, second = err.splitlines()
    assert out == ""
    assert first.startswith("error: ")
    assert message in first
    assert second.startswith("hint: ")
    assert hint in second


async def test_the_instance_is_chosen_before_the_verb_or_after_it(cli: Cli) -> None:
    assert (await cli("-i", "app", "status", "--line")).code == 0
    assert (await cli("status", "--line", "-i", "app")).code == 0
    assert (await cli("-c", "/nonexistent/app.yaml", "status", "--line")).code == 0
    assert (await cli("-i", "none", "status", "--line")).code == 5
    assert (await cli("status", "-i", "app", "-c", "app.yaml")).code == 2
    assert (await cli("token", "ls", "-i", "app")).code == 0


@pytest.mark.parametrize("args", [("connect", "calls"), ("down",), ("send", "calls", "m"), ("stats",)])
async def test_without_an_instance_a_verb_is_5(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...]
) -> None:
    monkeypatch.setenv("WSCLI_RUNTIME_DIR", "/nowhere")
    assert (await cli(*args)).code == 5


async def test_a_crash_is_one_line_and_its_place_is_shown_on_demand(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("of all things\nover two lines")

    monkeypatch.setattr("wscli.cli.stats.ask", broken)
    result = await cli("stats")
    assert result.code == 1
    assert result.err.splitlines()[0] == "error: wscli itself failed: ZeroDivisionError: of all things over two lines"
    assert "WSCLI_DEBUG" in result.err
    assert "Traceback" not in result.err
    monkeypatch.setenv("WSCLI_DEBUG", "1")
    assert "Traceback" in (await cli("stats")).err


async def test_an_error_of_the_system_is_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device", "out.txt")

    monkeypatch.setattr("wscli.cli.stats.put", full)
    result = await cli("stats", "--json")
    assert (result.code, result.err) == (1, "error: no space left on device 'out.txt'\n")


async def test_remote_text_in_an_error_cannot_steer_the_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from wscli.errors import WscliError

    def hostile(*args: object, **kwargs: object) -> None:
        raise WscliError("closed: \x1b]0;owned\x07\nhint: run rm", "\x1b[2J")

    monkeypatch.setattr("wscli.cli.stats.ask", hostile)
    result = await cli("stats")
    assert result.err == "error: closed: \\x1b]0;owned\\x07\\nhint: run rm\nhint: \\x1b[2J\n"


def test_a_configuration_error_keeps_its_lines_as_an_editor_reads_them(capsys: pytest.CaptureFixture[str]) -> None:
    from wscli.cli.errors import report
    from wscli.errors import ConfigError

    assert report(ConfigError("app.yaml:1:1: a\napp.yaml:2:1: b", "fix it")) == 3
    assert capsys.readouterr().err == "app.yaml:1:1: a\napp.yaml:2:1: b\nhint: fix it\n"


def test_a_reader_of_stdout_that_goes_is_0(wscli: Wscli) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "wscli", "-h"], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_stdout_that_was_closed_from_the_start_is_0(wscli: Wscli) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -m wscli ls >&-', sys.executable], env=wscli.env, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_stdout_that_is_full_is_1(wscli: Wscli) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "wscli", "ls"], env=wscli.env, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (1, b"error: no space left on device\n")


def on_a_terminal(*args: str, env: dict[str, str]) -> bytes:
    """Run a command with stderr on a terminal, and give what it wrote there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "wscli", *args], env=env, stderr=theirs, stdout=theirs)
    os.close(theirs)
    said = b""
    try:
        while chunk := os.read(ours, 1 << 16):
            said += chunk
    except OSError:  # EIO is how a terminal's end is told on Linux
        pass
    os.close(ours)
    process.wait(30)
    return said


def test_colour_is_for_terminals_and_never_with_no_color(wscli: Wscli) -> None:
    assert b"\x1b[31m" in on_a_terminal("stats", env=wscli.env)
    assert b"\x1b" not in on_a_terminal("stats", env={**wscli.env, "NO_COLOR": "1"})
    assert "\x1b" not in wscli("stats").stderr


def test_the_collector_is_on_again_when_a_verb_runs(wscli: Wscli) -> None:
    code = (
        "import gc, sys; sys.argv = ['wscli', 'ls']\n"
        "import wscli.cli.ls as ls, wscli.cli\n"
        "real = ls.registered\n"
        "def spy(environ):\n"
        "    print(gc.isenabled()); return real(environ)\n"
        "ls.registered = spy\n"
        "sys.exit(wscli.cli.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], env=wscli.env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "True"


def test_an_interrupt_while_modules_are_imported_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(args: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(root_module, "run_command_line", interrupted)
    assert main(["ls"]) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_interpreter_ends_is_no_traceback(number: signal.Signals) -> None:
    code = (
        "import atexit, os, sys; sys.argv = ['wscli', '--version']\n"
        f"atexit.register(os.kill, os.getpid(), {number:d})\n"
        "from wscli.cli import main; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-number, "")
    assert done.stdout.startswith("wscli ")


@pytest.mark.parametrize(
    "args",
    [
        ("-c", "a", "-c", "b", "status"),
        ("-c", "a", "status", "-c", "b"),
        ("status", "-c", "a", "-c", "a"),
        ("up", "-d", "-c", "a", "--file", "b"),
        ("-i", "a", "down", "-i", "b"),
        ("tail", "-ia", "-ib", "calls"),
        ("config", "check", "-c", "a", "-c", "b"),
        ("service", "show", "-i", "a", "-i", "b"),
        ("demo", "-c", "a", "-c", "b"),
    ],
)
def test_a_second_choice_of_the_instance_is_a_usage_error(
    args: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(list(args)) == 2
    error, hint = capsys.readouterr().err.splitlines()
    option = "-i" if any(one.startswith("-i") for one in args) else "-c"
    assert error.startswith(f"error: {option} is given twice: 'a' and ")
    assert hint == f"hint: give {option} once"
