"""What a newcomer sees of ``wscli demo`` on a terminal."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from wscli.cli.demo.view import View, as_typed

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
