"""Commands that take messages: how far all are done, how many run, what keeps its order, and what ends it; with
``--exec`` over several channels, whose numbers are each its own.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.waiting import until, with_more_time
from wscli.cli.tail.exec_pool import CommandPool, Job, Progress
from wscli.cli.tail.exec_sink import ExecSink
from wscli.control.output import Output


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_everything_before_what_is_done_is_done(gaps: list[bool], chance: object) -> None:
    progress, counted, numbers = Progress(), 0, list(range(1, len(gaps) + 1))
    after: dict[int, int] = {}
    for number, gap in zip(numbers, gaps, strict=True):
        counted += gap
        after[number] = counted
        progress.began(number, counted)
    order = numbers.copy()
    chance.shuffle(order)  # type: ignore[attr-defined]  # a random.Random
    done: set[int] = set()
    far = 0
    for number in order:
        done.add(number)
        came = progress.done(number)
        prefix = next((n - 1 for n in numbers if n not in done), len(numbers))
        assert (came is None) == (prefix == far)
        if came is not None:
            assert came == (prefix, after[prefix])
            far = prefix
    assert far == len(numbers)


class Heard:
    def __init__(self) -> None:
        self.done: list[int] = []
        self.failed: list[tuple[int, str]] = []

    def fail(self, job: Job, why: str) -> None:
        self.failed.append((job.seq, why))


def pool(heard: Heard, code: str, *args: str, parallel: int = 1, timeout: float = 30.0, **more: Any) -> CommandPool:
    return CommandPool(
        [sys.executable, "-c", code, *args],
        parallel=parallel,
        timeout=timeout,
        done=lambda job: heard.done.append(job.seq),
        failed=heard.fail,
        **more,
    )


def finish(one: CommandPool) -> None:
    one.drain(at_once=False)
    one.close()


def job(seq: int, key: str | None = None, payload: bytes = b"") -> Job:
    return Job(seq, key, payload, {"WSCLI_SEQ": str(seq)})


def test_a_command_reads_the_message_and_its_facts(tmp_path: Path) -> None:
    heard, out = Heard(), tmp_path / "out"
    code = "import os, sys; open(sys.argv[1], 'ab').write(os.environ['WSCLI_SEQ'].encode() + sys.stdin.buffer.read())"
    one = pool(heard, code, str(out))
    assert one.put(job(1, "", b":a\n"))
    assert one.put(job(2, "", b":\x00\xff\n"))
    finish(one)
    assert out.read_bytes() == b"1:a\n2:\x00\xff\n"
    assert (heard.done, heard.failed) == ([1, 2], [])


def test_so_many_run_at_a_time_and_one_key_is_in_order(tmp_path: Path) -> None:
    heard, meet = Heard(), tmp_path / "meet"
    meet.mkdir()
    code = (  # the commands of two keys wait for each other: they can only end if they run at the same time
        "import os, sys, time, pathlib; meet = pathlib.Path(sys.argv[1]); seq = int(os.environ['WSCLI_SEQ']);"
        "(meet / str(seq)).touch(); other = meet / str({1: 2, 2: 1}.get(seq, seq));\n"
        "while not other.exists(): time.sleep(0.01)"
    )
    one = pool(heard, code, str(meet), parallel=2)
    for seq, key in ((1, "a"), (2, "b"), (3, "a"), (4, "b"), (5, "a")):
        assert one.put(job(seq, key))
    finish(one)
    assert sorted(heard.done) == [1, 2, 3, 4, 5]
    assert [seq for seq in heard.done if seq % 2] == [1, 3, 5]
    assert [seq for seq in heard.done if not seq % 2] == [2, 4]


@pytest.mark.parametrize(
    ("code", "words", "timeout"),
    [
        ("raise SystemExit(3)", "exited with 3", 30.0),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9", 30.0),
        ("import time; time.sleep(600)", "took longer than 0.2 s, and was killed", 0.2),
    ],
)
def test_after_a_failure_nothing_is_begun(code: str, words: str, timeout: float) -> None:
    heard = Heard()
    one = pool(heard, code, timeout=timeout)
    one.put(job(7, ""))
    one.drain(at_once=False)
    assert not one.put(job(8, "")), "and whoever has more is told"
    finish(one)
    assert heard.done == []
    assert heard.failed == [(7, words)]


def test_a_program_that_is_gone_has_failed() -> None:
    heard = Heard()
    one = CommandPool(["/nowhere"], parallel=1, timeout=1, done=lambda job: None, failed=heard.fail)
    one.put(job(1))
    finish(one)
    assert heard.failed == [(1, "cannot be started: no such file or directory")]


def test_whoever_has_more_than_can_wait_waits_for_room() -> None:
    heard = Heard()
    one = pool(heard, "pass", parallel=4)
    for seq in range(100):
        assert one.put(job(seq))
    finish(one)
    assert sorted(heard.done) == list(range(100))


@pytest.mark.parametrize(
    ("code", "done"),
    [
        ("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)", []),
        ("import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))", [1]),
        ("import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))", []),
    ],
)
def test_once_all_is_to_end_what_exits_with_0_is_done_and_nothing_has_failed(
    tmp_path: Path, code: str, done: list[int]
) -> None:
    heard, begun = Heard(), tmp_path / "begun"
    code = f"{code}; import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
    one = pool(heard, code, str(begun), timeout=600.0, grace=0.3 if not done else 30.0)
    for seq in (1, 2):
        assert one.put(job(seq, ""))
    until(begun.exists)
    one.terminate()
    one.drain(at_once=True)
    one.close()
    assert (heard.done, heard.failed) == (done, [])


def test_a_daemon_that_keeps_the_stdin_of_a_killed_command_holds_up_nobody(tmp_path: Path) -> None:
    heard, pid = Heard(), tmp_path / "pid"
    code = (
        "import subprocess, sys, time; daemon = subprocess.Popen(['sleep', '600'], start_new_session=True);"
        "open(sys.argv[1], 'w').write(str(daemon.pid)); time.sleep(600)"
    )

    def killed(seconds: float) -> bool:
        """Whether the command had started its daemon by then."""
        heard.failed.clear()
        one = pool(heard, code, str(pid), timeout=seconds)
        one.put(job(1, "", bytes(1 << 20)))
        draining = threading.Thread(target=one.drain, kwargs={"at_once": False})
        draining.start()
        draining.join(60)
        held_up = draining.is_alive()
        found = pid.read_text() if pid.exists() else ""
        if found:
            os.kill(int(found), signal.SIGKILL)
        draining.join()
        one.close()
        assert not held_up
        assert heard.failed == [(1, f"took longer than {seconds:g} s, and was killed")]
        return found != ""

    assert with_more_time(killed, 1.0)


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


def test_a_failure_without_a_consumer_claims_no_position(output: Output, tmp_path: Path) -> None:
    one = sink(output, str(tmp_path / "out"), "a")
    one.data("a", records("a", "1"))
    one.settle()
    one.close()
    assert one.failure is not None
    assert one.failure.hint == "without --consumer NAME no position is kept: that message is not delivered again"
