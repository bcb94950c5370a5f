"""``--exec`` over several channels, whose numbers are each its own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wscli.cli.tail.exec_sink import ExecSink
from wscli.control.output import Output

TAKES = """
import os, sys
open(sys.argv[1], "a").write(f"{os.environ['WSCLI_CHANNEL']} {sys.stdin.read()}\\n")
sys.exit(sys.argv[2:] == [os.environ["WSCLI_CHANNEL"]])
"""


@pytest.fixture
def output() -> Iterator[Output]:
    descriptor = os.open(os.devnull, os.O_WRONLY)
    yield Output(descriptor)
    os.close(descriptor)


def sink(output: Output, *args: str) -> ExecSink:
    sink = ExecSink(output, lambda text: None, [sys.executable, "-c", TAKES, *args], parallel=1, timeout=30, key=None)
    sink.start(None)
    return sink


def records(channel: str, *texts: str) -> memoryview:
    lines = [
        {"channel": channel, "epoch": "e", "seq": seq, "ts": 1.5, "type": "text", "data": text}
        for seq, text in enumerate(texts, 1)
    ]
    return memoryview("".join(json.dumps(line) + "\n" for line in lines).encode())


def test_messages_of_several_channels_may_have_one_number(output: Output, tmp_path: Path) -> None:
    out = tmp_path / "out"
    one = sink(output, str(out))
    assert not one.data("a", records("a", "1", "2"))
    assert not one.data("b", records("b", "3", "4"))
    one.settle()
    one.close()
    assert one.failure is None
    assert out.read_text() == "a 1\na 2\nb 3\nb 4\n"


def test_a_failure_names_the_channel_of_its_message(output: Output, tmp_path: Path) -> None:
    one = sink(output, str(tmp_path / "out"), "a")
    one.data("a", records("a", "1"))
    one.data("b", records("b", "2"))
    one.settle()
    one.close()
    assert one.failure is not None
    assert one.failure.message == f"{sys.executable!r} exited with 1 on message 1 of a"
