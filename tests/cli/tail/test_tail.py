"""``wscli tail`` as a process: bytes, words, exit codes, deadlines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import subprocess
import sys
import time

import pytest

from tests.cli.commands import cli, started
from tests.daemon.served import fill
from tests.waiting import eventually
from wscli.core.states import ChannelState

__all__ = ["cli"]


@pytest.fixture
def served(cli):
    return cli.served


class Running:
    """A ``wscli tail`` under way."""

    def __init__(self, process):
        self.process = process
        self.out = b""

    async def reads(self, expected):
        """Read stdout until it is what is expected."""
        while len(self.out) < len(expected) and (more := await self.process.stdout.read(1 << 16)):
            self.out += more
        assert self.out == expected

    async def ends(self):
        """Wait for the end; give the exit code and stderr."""
        out, err = await self.process.communicate()
        self.out += out or b""
        assert b"Traceback" not in err
        return self.process.returncode, err.decode()


@contextlib.asynccontextmanager
async def tail(served, *args, attached=True, stdout=subprocess.PIPE):
    async with started("tail", *args, stdout=stdout) as process:
        if attached:
            channels = served.manager.channels()
            await eventually(lambda: process.returncode is not None or any(channel.readers for channel in channels))
        yield Running(process)


async def test_messages_are_printed_one_a_line_as_they_come(served):
    async with tail(served, "notifications") as running:
        fill(served.notifications, "a", "b")
        await running.reads(b"a\nb\n")
        fill(served.notifications, "\x1b[31mc\r")
        await running.reads(b"a\nb\n\x1b[31mc\r\n")


async def test_several_channels_are_told_apart(served):
    async with tail(served, "notifications", "calls") as running:
        fill(served.calls, "x")
        fill(served.notifications, "y")
        await running.reads(b"calls\tx\nnotifications\ty\n")


async def test_nul_ends_each_message_and_prints_binary_ones(served):
    async with tail(served, "notifications", "-0") as running:
        fill(served.notifications, "a\nb", b"\xff\x00", kinds=b"tb")
        await running.reads(b"a\nb\0\xff\x00\0")


async def test_json_prints_records_and_gaps_among_them(served):
    async with tail(served, "notifications", "--json", "--count", "2") as running:
        fill(served.notifications, "a")
        served.notifications.history.record_gap("outage", start=1.0, end=2.0)
        fill(served.notifications, b"\xff", kinds=b"b")
        assert await running.ends() == (0, "")
    records = [json.loads(line) for line in running.out.splitlines()]
    assert [record["type"] for record in records] == ["text", "gap", "binary"]
    assert records[1] == {
        "channel": "notifications",
        "type": "gap",
        "after": 1,
        "reason": "outage",
        "start": 1.0,
        "end": 2.0,
        "missed": None,
    }


async def test_gaps_and_binary_messages_are_words_on_stderr_without_json(served):
    async with tail(served, "notifications", "--count", "1") as running:
        fill(served.notifications, b"\xff\xfe", kinds=b"b")
        served.notifications.history.record_gap("outage", start=1.0, end=2.5)
        fill(served.notifications, "a")
        code, words = await running.ends()
    assert (code, running.out) == (0, b"a\n")
    assert words == (
        "1 binary message not printed, 2 bytes; --json or -0 prints them\n"
        "gap: notifications: not connected for 1.5 s; messages after 1 may be missing\n"
    )


async def test_replay_and_cursor(served):
    served.it.time.sleep(time.time() - served.it.time.wall())  # --since is read by the clock of the command
    fill(served.notifications, "a", "b", "c")
    cursor = f"{served.notifications.history.epoch}:1"
    for option, value, out in ("-n", "2", b"b\nc\n"), ("--after", cursor, b"b\nc\n"), ("--since", "1h", b"a\nb\nc\n"):
        async with tail(served, "notifications", option, value, "--no-follow", attached=False) as running:
            assert (await running.ends(), running.out) == ((0, ""), out), option


async def test_count_ends_it_at_a_message(served):
    async with tail(served, "notifications", "--count", "2") as running:
        fill(served.notifications, "a", "b", "c")
        assert await running.ends() == (0, "")
        assert running.out == b"a\nb\n"


async def test_a_deadline_ends_it_with_124_though_messages_come(served):
    for seconds in (1, 5, 25):
        async with tail(served, "notifications", "--timeout", f"{seconds}s") as running:
            fill(served.notifications, "a")
            code, words = await running.ends()
        assert (code, words) == (124, f"error: the {seconds} s of --timeout are over\nhint: --timeout waits longer\n")
        if running.out:  # on a busy machine it may not be there in time
            break
    assert running.out == b"a\n"


async def test_a_deadline_holds_though_nobody_takes_what_is_printed(served):
    reading, writing = os.pipe()
    async with tail(served, "notifications", "--timeout", "700ms", stdout=writing) as running:
        os.close(writing)
        fill(served.notifications, b"x" * (1 << 20))
        code, _ = await running.ends()
    os.close(reading)
    assert code == 124


async def test_a_deadline_holds_for_a_manager_that_does_not_answer(served):
    served.notifications.history.seek_last = lambda count: time.sleep(3)
    async with tail(served, "notifications", "--timeout", "500ms", attached=False) as running:
        code, _ = await running.ends()
    assert code == 124


async def test_silence_ends_it_with_124(served):
    async with tail(served, "notifications", "--idle-timeout", "300ms") as running:
        assert await running.ends() == (124, "error: no message came for 0.3 s\nhint: --idle-timeout waits longer\n")


async def test_a_stdout_that_was_closed_from_the_start_is_no_error(served):
    done = await asyncio.to_thread(
        subprocess.run,
        ["sh", "-c", '"$0" -m wscli tail notifications >&-', sys.executable],
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a full device")  # noqa: PTH110
async def test_a_full_disk_is_an_error(served):
    full = os.open("/dev/full", os.O_WRONLY)
    async with tail(served, "notifications", stdout=full) as running:
        os.close(full)
        fill(served.notifications, "a")
        code, words = await running.ends()
    assert (code, words) == (1, "error: no space left on device\n")


@pytest.mark.parametrize(
    ("args", "message", "shown"),
    [
        ([], "a\x1b[2Jb\u202e", rb"a\x1b[2Jb\u202e"),
        (["--count", "1", "--jq", "."], json.dumps("a\x1b[2Jb\u202e"), rb"a\x1b[2Jb\u202e"),
        (["--json"], "a\x7f\x9b\u202eé", rb'"data":"a\u007f\u009b\u202e' + "é".encode()),
    ],
)
async def test_on_a_terminal_control_characters_are_shown_and_records_stay_json(served, args, message, shown):
    ours, theirs = pty.openpty()
    async with tail(served, "notifications", *args, stdout=theirs):
        fill(served.notifications, message)
        got = b""
        while not got.endswith(b"\n"):
            got += await asyncio.to_thread(os.read, ours, 1 << 16)
    os.close(ours)
    os.close(theirs)
    if args == ["--json"]:
        assert shown in got
        assert json.loads(got)["data"] == message
    else:
        assert got == shown + b"\r\n"  # which the terminal makes of a newline


@pytest.mark.parametrize(
    ("state", "refused", "code", "words"),
    [
        (ChannelState.FAILED, False, 8, "failed: closed by the server: 1002\nhint: `wscli start"),
        (ChannelState.FAILED, True, 4, "failed: HTTP 401\nhint: `wscli start"),
        (ChannelState.PAUSED, False, 8, "paused: paused by hand\nhint: `wscli resume"),
        (ChannelState.DONE, False, 0, ""),
    ],
)
async def test_a_channel_that_settles_ends_it_after_its_last_message(served, state, refused, code, words):
    async with tail(served, "notifications") as running:
        fill(served.notifications, "last words")
        await served.bring(served.notifications, state, refused=refused)
        ended, said = await running.ends()
    assert (ended, running.out) == (code, b"last words\n")
    assert said == (f"error: channel 'notifications' is {words} notifications` opens it again\n" if words else "")


async def test_jq_prints_what_it_makes_of_each_message_and_counts_what_it_cannot(served):
    async with tail(served, "notifications", "--jq", ".a, (.b | select(. != null))", "--count", "3") as running:
        several = '{"a": 1} {"a": 2}'
        fill(served.notifications, '{"a": "text", "b": {"z": 1.10, "y": [1, 2]}}', "not json", several, "NaN")
        last = ('{"a": null}', '{"a": "é\\u001b"}', '{"a": "too much"}')
        fill(served.notifications, "[1]", b"\xff", *last, kinds=b"tbttt")
        code, words = await running.ends()
    assert code == 0
    assert running.out == 'text\n{"z":1.10,"y":[1,2]}\nnull\né\x1b\n'.encode()
    assert words.startswith("4 messages skipped: not JSON\n1 message skipped: jq: Cannot index array with string")


async def test_jq_with_json_sees_the_record_and_its_value(served):
    program = 'select(.type != "gap") | {seq, value: .value.a}'
    async with tail(served, "notifications", "--json", "--jq", program, "--count", "2") as running:
        fill(served.notifications, '{"a": 1}')
        served.notifications.history.record_gap("outage")
        fill(served.notifications, "no json", '{"a": [2]}')
        code, words = await running.ends()
    assert (code, running.out) == (0, b'{"seq":1,"value":1}\n{"seq":3,"value":[2]}\n')
    assert words == "1 message skipped: not JSON\n"


async def test_jq_of_several_channels_tells_them_apart_and_ends_results_as_asked(served):
    async with tail(served, "notifications", "calls", "-0", "--jq", ".[]", "--count", "2") as running:
        fill(served.calls, "[1, 2]")
        fill(served.notifications, "[]", '["a\\nb"]')
        code, _ = await running.ends()
    assert (code, running.out) == (0, b"calls\t1\0calls\t2\0notifications\ta\nb\0")
