"""``wscli send``: what is a message, and what each exit code promises."""

from __future__ import annotations

import os
import pty
import socket
import subprocess

import pytest

from tests.cli.commands import Cli, cli, start
from tests.daemon.served import link_of
from tests.waiting import eventually
from wscli.cli.send import sender as sending
from wscli.cli.send.sender import Sender
from wscli.control.client import ManagerConnection
from wscli.control.paths import Instance
from wscli.core.states import ChannelState
from wscli.errors import NotSent, OutcomeUnknown, WscliError

__all__ = ["cli"]


def sent(cli: Cli) -> list[bytes]:
    return [payload for payload, _ in link_of(cli.served.calls).sent]


async def test_an_argument_is_sent_as_it_stands(cli: Cli) -> None:
    assert await cli("send", "calls", "{token.x} $HOME\n\\n ünï") == (0, "", "")
    assert sent(cli) == ["{token.x} $HOME\n\\n ünï".encode()]
    assert (await cli("send", "calls", "")).code == 0
    assert (await cli("send", "calls", "--", "--json")).code == 0
    assert sent(cli)[1:] == [b"", b"--json"]


async def test_stdin_is_one_message_a_line(cli: Cli) -> None:
    assert (await cli("send", "calls", stdin=b"a\n\nb\r\nc")).code == 0
    assert (await cli("send", "calls", "-", stdin=b"d\n")).code == 0
    assert sent(cli) == [b"a", b"", b"b\r", b"c", b"d"]


async def test_stdin_can_be_one_message_or_end_with_nul(cli: Cli) -> None:
    assert (await cli("send", "calls", "--whole", stdin=b"a\nb\n")).code == 0
    assert (await cli("send", "calls", "-0", stdin=b"c\nd\0e")).code == 0
    assert (await cli("send", "calls", "--whole")).code == 0
    assert sent(cli) == [b"a\nb\n", b"c\nd", b"e", b""]


async def test_binary_from_stdin_is_whole(cli: Cli) -> None:
    assert (await cli("send", "calls", "--binary", stdin=b"\xff\n\x00\n")).code == 0
    assert (await cli("send", "calls", "--binary", "-0", stdin=b"\xff\0\xfe\0")).code == 0
    assert (await cli("send", "calls", "--binary", "text")).code == 0
    assert link_of(cli.served.calls).sent == [(one, True) for one in (b"\xff\n\x00\n", b"\xff", b"\xfe", b"text")]


async def test_bytes_of_the_command_line_survive(cli: Cli) -> None:
    process = await start("send", "calls", "--binary", b"\xff\xfe")
    assert await process.wait() == 0
    assert sent(cli) == [b"\xff\xfe"]


async def test_a_line_is_typed_on_a_terminal_where_that_is_asked_for(cli: Cli) -> None:
    ours, theirs = pty.openpty()
    asked = await start("send", "calls", "-", stdin=theirs)
    os.write(ours, b"typed\n\x04")
    assert await asked.wait() == 0
    os.close(ours)
    os.close(theirs)
    assert sent(cli) == [b"typed"]


@pytest.mark.parametrize(("error", "code"), [(NotSent("x"), 7), (OutcomeUnknown("x"), 9)])
async def test_each_outcome_has_its_code(cli: Cli, error: WscliError, code: int) -> None:
    link_of(cli.served.calls).fails[0] = error
    result = await cli("send", "calls", "m")
    assert (result.code, result.err.splitlines()[0]) == (code, f"error: channel 'calls': {error}")


@pytest.mark.parametrize(("refused", "code"), [(False, 8), (True, 4)])
async def test_a_channel_that_failed_takes_no_message(cli: Cli, refused: bool, code: int) -> None:
    await cli.served.bring(cli.served.calls, ChannelState.FAILED, refused=refused)
    result = await cli("send", "calls", "m")
    assert result.code == code
    assert result.err.startswith("error: channel 'calls' is failed: ")


async def test_text_that_is_none_is_7(cli: Cli) -> None:
    result = await cli("send", "calls", stdin=b"ok\n\xff\n")
    assert result.code == 7
    assert "byte 0 of 1 is 0xff (1 message was sent before)" in result.err
    assert "--binary" in result.err


async def test_each_line_leaves_as_soon_as_it_is_complete(cli: Cli) -> None:
    process = await start("send", "calls", stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"one\ntw")
    await eventually(lambda: sent(cli) == [b"one"])
    process.stdin.write(b"o\n")
    await eventually(lambda: sent(cli) == [b"one", b"two"])
    process.stdin.close()
    assert await process.wait() == 0


async def test_what_is_larger_than_a_block_is_refused_and_a_large_stream_is_not(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "BLOCK_LIMIT", 100_000)
    assert (await cli("send", "calls", "--whole", stdin=b"x" * 100_001)).code == 7
    assert (await cli("send", "calls", stdin=b"x" * 200_000)).code == 7
    assert sent(cli) == []
    lines = b"".join(b"%d" % number * 100 + b"\n" for number in range(5000))
    assert (await cli("send", "calls", stdin=lines)).code == 0
    assert sent(cli) == lines.split(b"\n")[:-1]


async def test_a_manager_that_goes_between_two_messages_ends_it_with_5_and_the_count(cli: Cli) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = await start("send", "calls", "--json", **pipes)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"m\n")
    assert await process.stdout.readline()  # it knows that the message was sent
    await cli.served.server.close()
    assert process.stderr is not None
    assert b"stopped (1 message was sent before)" in await process.stderr.read()
    assert await process.wait() == 5


def test_a_message_that_the_manager_never_took_whole_was_certainly_not_sent() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with ManagerConnection(Instance("app", "/srv/app.yaml", 1, "/run"), ours) as client, pytest.raises(NotSent):
        Sender(client, {"channel": "calls"}, 1.0).block(b"m", "whole")


async def test_the_deadline_goes_with_the_message(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    async def send(payload: bytes, *, binary: bool, timeout: float, preparing: int | None) -> None:
        seen.append(timeout)

    monkeypatch.setattr(cli.served.calls, "send", send)
    await cli("send", "calls", "m")
    await cli("send", "calls", "m", "--timeout", "1m30s")
    assert seen == [10.0, 90.0]


async def test_a_lazy_channel_stays_open_for_the_whole_stream(cli: Cli) -> None:
    channel = cli.served.calls
    await cli.served.bring(channel, ChannelState.IDLE)
    process = await start("send", "calls", stdin=subprocess.PIPE)
    await eventually(lambda: channel.in_use)
    process.terminate()
    assert await process.wait() == 143
    await eventually(lambda: not channel.in_use)
