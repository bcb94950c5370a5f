"""``wscli demo``: one command shows it all, on the file that the package brings along."""

from __future__ import annotations

import io
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import Wscli, wscli
from wscli.cli.demo import DEFAULT_PORT, demo_file
from wscli.cli.demo.view import View, as_typed

__all__ = ["wscli"]


def test_the_packages_file_is_the_one_of_the_repository() -> None:
    assert demo_file().read_bytes() == (Path(__file__).parents[3] / "configs" / "demo.yaml").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_shows_messages_until_it_is_stopped_and_leaves_nothing(wscli: Wscli, number: int) -> None:
    with wscli.start("demo", "--port", "0") as demo:
        demo.until(lambda: any(line.startswith("notifications\t{") for line in demo.out))
        assert "-i demo status --watch" in demo.stderr
        assert "the status page is at http://127.0.0.1:" in demo.stderr
        assert wscli("wait", "notifications", "-i", "demo").returncode == 0
        assert wscli("tail", "notifications", "--count", "1").stdout.startswith("{")
        assert demo.stop(number) == 0
        assert "Traceback" not in demo.stderr
    assert list(wscli.runtime.iterdir()) == []


def test_a_port_that_is_taken_is_an_error_only_if_it_was_asked_for(wscli: Wscli) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = wscli("demo", "--port", str(taken.getsockname()[1]))
        assert done.returncode == 1
        assert "cannot listen on port" in done.stderr
        assert "hint: --port 0" in done.stderr


def test_where_the_usual_port_is_taken_another_serves(wscli: Wscli) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", DEFAULT_PORT))
            taken.listen()
        except OSError:
            pass  # it is taken already, which is all that is wanted
        with wscli.start("demo") as demo:
            demo.until(lambda: f"port {DEFAULT_PORT} is taken; another is used" in demo.stderr)
            demo.until_lines(1)
            assert demo.stop() == 0


def test_it_ends_well_when_nobody_reads_it(wscli: Wscli) -> None:
    command = [sys.executable, "-m", "wscli", "demo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=wscli.env) as demo:
        assert demo.stdout is not None
        assert demo.stdout.readline()
        demo.stdout.close()
        assert demo.wait(60) == 0


def test_a_second_demo_says_who_holds_the_name_and_the_first_is_taken_down_like_any_instance(wscli: Wscli) -> None:
    with wscli.start("demo", "--port", "0") as demo:
        demo.until_lines(1)
        second = wscli("demo", "--port", "0")
        assert second.returncode == 1
        assert f"'demo' is already running as pid {demo.pid}" in second.stderr
        assert wscli("down", "-i", "demo").returncode == 0
        assert demo.wait() == 0


CHANNELS = ["notifications", "calls"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def painted(text: str, **environ: str) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", Terminal())
        patch.delenv("NO_COLOR", raising=False)
        for name, value in environ.items():
            patch.setenv(name, value)
        return View("demo", CHANNELS, 1).painted(memoryview(text.encode())).decode()


def test_each_channel_has_a_colour_and_the_messages_a_column() -> None:
    assert painted('notifications\t{"n": 1}\ncalls\t{}\n') == (
        '\x1b[36mnotifications\x1b[0m  {"n": 1}\n\x1b[35mcalls        \x1b[0m  {}\n'
    )


def test_remote_text_is_escaped_and_the_lines_of_a_message_stay_its_own() -> None:
    assert painted("calls\t\x1b[2J\nother\tline\n").endswith("  \\x1b[2J\nother\tline\n")


def test_no_color_leaves_the_column_only() -> None:
    assert painted("calls\t{}\n", NO_COLOR="1") == "calls          {}\n"


def test_the_commands_to_try_can_be_typed_as_they_stand(tmp_path: Path) -> None:
    ours, other = tmp_path / ".venv" / "wscli", tmp_path / "wscli"
    ours.parent.mkdir()
    ours.touch()
    other.touch()
    assert as_typed(str(ours), None) == str(ours)
    assert as_typed(str(ours), str(other)) == str(ours)
    assert as_typed(str(ours), str(ours)) == "wscli"
    assert as_typed("/lib/wscli/__main__.py", str(other)) == "wscli"
    assert as_typed("/lib/wscli/__main__.py", None) == f"{sys.executable} -m wscli"
