"""``wscli send --json`` and ``--wait-ack``, as processes: what became of each message, told once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from typing import Any

import pytest

from tests.cli.commands import Cli, cli, start
from tests.client.scene import Scene, running
from tests.daemon.served import link_of
from tests.waiting import eventually, with_more_time
from wscli.cli.interrupts import uninterrupted
from wscli.cli.send.outcomes import Outcomes
from wscli.errors import ChannelUnavailable, NotSent, OutcomeUnknown, WscliError

__all__ = ["cli", "running"]


async def outcomes(*args: str, stdin: bytes = b"") -> tuple[int | None, list[Any]]:
    """Run ``wscli send --json``; give its exit code, and what it told without the channel."""
    process = await start("send", "--json", *args, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    out, _ = await process.communicate(stdin)
    told = [json.loads(line) for line in out.splitlines()]
    assert {one.pop("channel") for one in told} <= {args[0]}
    return process.returncode, told


SENT = {"outcome": "sent", "code": 0, "error": None}


async def test_each_message_has_its_outcome(cli: Cli) -> None:
    assert await outcomes("calls", "m") == (0, [SENT])
    assert await outcomes("calls", stdin=b"a\n\nb") == (0, [SENT, SENT, SENT])
    assert await outcomes("calls") == (0, [])


@pytest.mark.parametrize(
    ("error", "outcome", "said"),
    [
        (NotSent("x"), "rejected", "channel 'calls': x"),
        (ChannelUnavailable("x"), "rejected", "x"),
        (OutcomeUnknown("x"), "unknown", "channel 'calls': x"),
    ],
)
async def test_the_first_that_fails_is_the_last_one_told(cli: Cli, error: WscliError, outcome: str, said: str) -> None:
    link_of(cli.served.calls).fails[2] = error
    failed = {"outcome": outcome, "code": int(error.exit_code), "error": f"{said} (2 messages were sent before)"}
    assert await outcomes("calls", stdin=b"a\nb\nc\nd\n") == (error.exit_code, [SENT, SENT, failed])
    assert await outcomes("calls", "m") == (error.exit_code, [{**failed, "error": said}])


@pytest.mark.parametrize("count", [1, 3])
async def test_each_line_that_was_under_way_when_the_manager_went_is_unknown(cli: Cli, count: int) -> None:
    link = link_of(cli.served.calls)
    link.full = asyncio.Event()
    telling = asyncio.create_task(outcomes("calls", stdin=b"m\n" * count))
    await eventually(lambda: link.sent)
    await cli.served.server.close()
    code, told = await telling
    assert (code, [(one["outcome"], one["code"]) for one in told]) == (9, [("unknown", 9)] * count)


@pytest.mark.parametrize("count", [1, 3])
async def test_each_line_that_was_under_way_at_an_interrupt_is_unknown(cli: Cli, count: int) -> None:
    link = link_of(cli.served.calls)
    link.full = asyncio.Event()
    process = await start("send", "--json", "calls", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"m\n" * count)
    await eventually(lambda: link.sent)
    process.send_signal(signal.SIGINT)
    out, _ = await process.communicate()
    told = [(one["outcome"], one["code"]) for one in map(json.loads, out.splitlines())]
    assert (process.returncode, told) == (130, [("unknown", 130)] * count)
    link.full.set()


async def test_one_message_for_which_there_is_no_channel_is_rejected(cli: Cli) -> None:
    code, told = await outcomes("nowhere", "m")
    assert (code, [(one["outcome"], one["code"]) for one in told]) == (6, [("rejected", 6)])
    assert await outcomes("nowhere", stdin=b"") == (6, []), "there is no message"


async def test_nobody_who_reads_the_outcomes_stops_no_message(cli: Cli) -> None:
    process = await start("send", "--json", "calls", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"a\n")
    assert await process.stdout.readline()
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]  # there is no other way to its end
    process.stdin.write(b"b\n")
    await process.stdin.drain()
    process.stdin.write(b"c\n")
    process.stdin.close()
    assert await process.wait() == 0
    assert [payload for payload, _ in link_of(cli.served.calls).sent] == [b"a", b"b", b"c"]


def test_a_message_that_the_server_acknowledges_is_acked_and_nothing_in_it_is_filled(running: Scene) -> None:
    done = running.command("send", "echo", '{"id": "{ref.int}"}', "--wait-ack", '.reply == "{ref.int}"', "--json")
    assert (done.returncode, json.loads(done.stdout)) == (
        0,
        {"channel": "echo", "outcome": "acked", "code": 0, "error": None},
    )


def test_lines_are_sent_one_by_one_each_behind_the_acknowledgement_of_the_one_before(running: Scene) -> None:
    orders = "".join(f'{{"id": {number}}}\n' for number in range(5))
    before = running.manager.stats()["channels"]["other"]["received"]
    done = running.command("send", "other", "--wait-ack", 'has("reply")', "--json", input=orders)
    assert (done.returncode, [one["outcome"] for one in map(json.loads, done.stdout.splitlines())]) == (
        0,
        ["acked"] * 5,
    )
    assert running.manager.stats()["channels"]["other"]["received"] == before + 5


def test_an_acknowledgement_that_does_not_come_is_124_and_the_message_was_sent(running: Scene) -> None:
    orders = '{"id": 1}\n{"say": ["no"]}\n{"id": 2}\n'

    def asked(seconds: float) -> list[dict[str, Any]] | None:
        command = ("send", "echo", "--wait-ack", ".reply", "--json", "--timeout", f"{seconds:g}s")
        done = running.command(*command, input=orders)
        told = [json.loads(line) for line in done.stdout.splitlines()]
        ended = f"no acknowledgement on 'echo' within {seconds:g} s; 1 message came instead (1 message was sent before)"
        assert "hint: " in done.stderr
        return told if done.returncode == 124 and told[-1]["error"] == ended else None

    found = with_more_time(asked, 1.0)
    assert found is not None
    assert [(one["outcome"], one["code"]) for one in found] == [("acked", 0), ("sent", 124)]


@pytest.mark.parametrize(
    ("args", "code", "outcomes"),
    [
        (["echo", "x", "--wait-ack", ".id =="], 2, ["rejected"]),
        (["echo", "x", "--wait-ack", ".id == $ref"], 2, ["rejected"]),
        (["ecko", "x", "--wait-ack", "."], 6, ["rejected"]),
        (["lost", "x", "--wait-ack", ".", "--timeout", "1s"], 7, ["rejected"]),
        (["echo", "--wait-ack", "."], 0, []),
    ],
)
def test_what_is_not_sent_is_rejected(running: Scene, args: list[str], code: int, outcomes: list[str]) -> None:
    done = running.command("send", *args, "--json")
    assert done.returncode == code, done.stderr
    assert [json.loads(line)["outcome"] for line in done.stdout.splitlines()] == outcomes


def test_bytes_are_acknowledged_as_well_and_what_is_no_text_is_not_sent(running: Scene) -> None:
    binary = ("send", "echo", "--wait-ack", ".", "--binary", "--timeout")  # an echo in binary is no JSON
    assert with_more_time(lambda seconds: running.command(*binary, f"{seconds}s", input=b"\xff").returncode == 124, 1.0)
    done = running.command("send", "echo", "--wait-ack", ".", "--json", input=b'{"id": 1}\n\xff\n')
    assert (done.returncode, "byte 0 of 1 is 0xff" in done.stderr) == (7, True)
    assert [json.loads(line)["outcome"] for line in done.stdout.splitlines()] == ["acked", "rejected"]


def test_an_interrupt_after_the_outcome_tells_nothing_more(capfd: pytest.CaptureFixture[str]) -> None:
    outcomes = Outcomes("calls", enabled=True)
    with contextlib.suppress(KeyboardInterrupt), outcomes.reporting(), uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        outcomes.succeeded("sent")
        outcomes.settled()
    assert [json.loads(line)["outcome"] for line in capfd.readouterr().out.splitlines()] == ["sent"]


def test_an_interrupt_does_not_change_what_was_sent_before(capfd: pytest.CaptureFixture[str]) -> None:
    outcomes = Outcomes("calls", enabled=True)
    with contextlib.suppress(KeyboardInterrupt), outcomes.reporting():
        outcomes.sent()
        raise KeyboardInterrupt
    told = json.loads(capfd.readouterr().out)
    assert (told["outcome"], told["code"]) == ("sent", 130)


def test_a_channel_that_is_stopped_while_the_acknowledgement_is_awaited_ends_it(running: Scene) -> None:
    waiting = running.command.start("send", "held", '{"id": 1}', "--wait-ack", "false", "--timeout", "60s", "--json")
    running.manager.until_stats(lambda stats: bool(stats["channels"]["held"]["received"] == 1))
    try:
        assert running.command("stop", "held").returncode == 0
        assert waiting.wait() == 8
        assert [(one["outcome"], one["code"]) for one in waiting.records()] == [("sent", 8)]
    finally:
        assert running.command("start", "held").returncode == 0
