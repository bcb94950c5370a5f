"""``wscli send --chunk`` and ``--rate``: chunks of one size, at most so many messages in a time, and what was sent."""

from __future__ import annotations

import base64
import json
import os
import pty
import signal
import subprocess
import time
from asyncio.subprocess import Process
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.commands import Cli, cli, start
from tests.client.scene import Scene, running
from tests.daemon.served import link_of
from tests.waiting import eventually
from wscli.cli.send.paced import Pacing, chunks_of
from wscli.errors import ChannelUnavailable, NotSent, OutcomeUnknown, WscliError

__all__ = ["cli", "running"]

PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
CHUNKS = ("send", "calls", "--binary", "--chunk", "4")


def sent(cli: Cli) -> list[tuple[bytes, bool]]:
    return link_of(cli.served.calls).sent


def give(process: Process, data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)


@given(st.lists(st.binary(max_size=50)), st.integers(1, 20))
def test_chunks_have_exactly_the_size_and_the_last_one_what_is_left(pieces: list[bytes], size: int) -> None:
    chunks = list(chunks_of(pieces, size))
    assert b"".join(chunks) == b"".join(pieces)
    assert all(len(one) == size for one in chunks[:-1])
    assert all(1 <= len(one) <= size for one in chunks[-1:])


@given(st.lists(st.sampled_from([0.0, 0.3, 1.0, 2.5])), st.sampled_from([None, 1.0]))
def test_a_pace_is_kept_without_a_burst_after_a_delay(delays: list[float], interval: float | None) -> None:
    now, times = 0.0, []

    def wait(seconds: float) -> None:
        nonlocal now
        assert seconds > 0
        now += seconds

    pace = Pacing(interval, wait, lambda: now)
    for delay in delays:
        now += delay
        pace.keep()
        times.append(now)
    assert all(after - before >= (interval or 0.0) - 1e-9 for before, after in pairwise(times))
    assert now <= sum(delays) + (interval or 0.0) * len(delays) + 1e-9, "it waits for nothing else"


async def test_chunks_are_binary_messages_and_an_empty_stdin_sends_none(cli: Cli) -> None:
    assert await cli(*CHUNKS, stdin=b"aaaabbbbcc\n") == (0, "", "")
    assert await cli(*CHUNKS) == (0, "", "")
    assert sent(cli) == [(b"aaaa", True), (b"bbbb", True), (b"cc\n", True)]


async def test_a_slow_stdin_sends_a_full_chunk_or_what_there_is_at_its_end(cli: Cli) -> None:
    process = await start(*CHUNKS, stdin=subprocess.PIPE)
    give(process, b"abcdef")
    await eventually(lambda: len(sent(cli)) == 1)
    give(process, b"gh")
    await eventually(lambda: len(sent(cli)) == 2)
    give(process, b"i")
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() == 0
    assert [payload for payload, _ in sent(cli)] == [b"abcd", b"efgh", b"i"]


@pytest.mark.parametrize(("error", "code"), [(NotSent("x"), 7), (OutcomeUnknown("x"), 9), (ChannelUnavailable("x"), 8)])
async def test_the_first_that_fails_ends_it_and_says_how_much_was_sent(cli: Cli, error: WscliError, code: int) -> None:
    link_of(cli.served.calls).fails[2] = error
    process = await start(*CHUNKS, "--json", **PIPES)
    out, err = await process.communicate(b"aaaabbbbccccdddd")
    assert process.returncode == code
    assert b"x (2 messages were sent before, 8 bytes)\n" in err
    assert [json.loads(line)["code"] for line in out.splitlines()] == [0, 0, code]


async def test_a_connection_that_is_replaced_meanwhile_is_told(cli: Cli) -> None:
    process = await start(*CHUNKS, "--json", **PIPES)
    assert process.stdout is not None
    give(process, b"aaaabb")
    assert await process.stdout.readline()
    cli.served.calls.rotate()
    await cli.served.it.time.advance(2)
    _, err = await process.communicate(b"bb")
    assert (process.returncode, err) == (0, b"connected anew after 1 message (4 bytes)\n")


async def test_lines_can_be_paced_too(cli: Cli) -> None:
    began = time.monotonic()
    assert (await cli("send", "calls", "--rate", "20/s", stdin=b"a\nb\n\nc")).code == 0
    assert time.monotonic() - began >= 0.15
    assert [payload for payload, _ in sent(cli)] == [b"a", b"b", b"", b"c"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_an_interruption_in_a_pause_is_prompt_and_says_how_much_was_sent(
    cli: Cli, number: signal.Signals, code: int
) -> None:
    process = await start(*CHUNKS, "--rate", "1/h", "--json", **PIPES)
    give(process, b"aaaabbbb")
    assert process.stdout is not None
    assert await process.stdout.readline()  # it knows that the chunk was sent
    process.send_signal(number)
    _, err = await process.communicate()
    assert (process.returncode, err) == (code, b"1 message (4 bytes) sent\n")


async def test_a_manager_that_goes_in_a_pause_ends_it_with_5(cli: Cli) -> None:
    process = await start(*CHUNKS, "--rate", "1/h", "--json", **PIPES)
    give(process, b"aaaabbbb")
    assert process.stdout is not None
    assert await process.stdout.readline()  # it knows that the chunk was sent
    await cli.served.server.close()
    _, err = await process.communicate()
    assert process.returncode == 5
    assert b"the manager was stopped (1 message was sent before, 4 bytes)" in err


async def test_a_terminal_shows_how_far_it_is_and_at_the_end_how_much_it_was(cli: Cli) -> None:
    ours, theirs = pty.openpty()
    process = await start(*CHUNKS, stdin=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    give(process, b"a" * 10)
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() == 0
    shown = os.read(ours, 1000).decode()
    os.close(ours)
    assert shown.startswith("\rsent 3 messages, 10B in ")
    assert shown.endswith("\x1b[K\r\n")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--chunk", "4"], "add --binary"),
        (["--binary", "--chunk", "0"], "not in the range"),
        (["--binary", "--chunk", "4", "-0"], "-0 and --chunk exclude each other"),
        (["--rate", "fast"], "invalid rate: 'fast'; it must be such as 5/s or 300/5m"),
        (["--rate", "5/0s"], "invalid rate: '5/0s'"),
        (["--rate", "5/s", "--queue"], "--queue and --rate exclude each other"),
        (["message", "--rate", "5/s"], "here is a MESSAGE"),
    ],
)
async def test_what_makes_no_sense_is_refused(cli: Cli, args: list[str], said: str) -> None:
    result = await cli("send", "calls", *args, stdin=b"x")
    assert (result.code, sent(cli)) == (2, [])
    assert said in result.err


def test_a_server_gets_each_chunk_as_one_binary_message(running: Scene) -> None:
    data = os.urandom(100_001)
    with running.command.start("tail", "echo", "--json", "--count", "32") as tail:
        running.until_readers(1)
        done = running.command("send", "echo", "--binary", "--chunk", "3200", "--rate", "300/s", input=data)
        assert (done.returncode, done.stderr) == (0, "")
        assert tail.wait() == 0
    chunks = [base64.b64decode(record["data"]) for record in tail.records()]
    assert chunks == [data[at : at + 3200] for at in range(0, len(data), 3200)]
