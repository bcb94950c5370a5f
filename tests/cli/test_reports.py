"""``stats``, ``status``, ``ls``, ``logs``, ``doctor``: the same facts for programs and for people."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal

import pytest

from tests.cli.commands import Cli, cli, start, started
from tests.daemon.scripted import REFUSED, status
from tests.daemon.served import fill
from tests.waiting import eventually
from wscli.core.failures import Failure, FailureKind
from wscli.core.states import ChannelState
from wscli.daemon.upstream.dial.steps import StepTrace
from wscli.session.actions import Stepped
from wscli.transport.connection import UpgradeExchange

__all__ = ["cli"]


async def test_stats_json_is_one_object_on_one_line(cli: Cli) -> None:
    result = await cli("stats", "--json")
    assert result.out.count("\n") == 1
    assert set(result.json) == {
        "schema", "instance", "pid", "uptime_s", "connections", "channels", "tokens", "problems",
    }  # fmt: skip
    assert result.json["channels"]["calls"] == cli.served.calls.stats()


async def test_stats_are_of_the_named_channels(cli: Cli) -> None:
    assert list((await cli("stats", "--json", "calls")).json["channels"]) == ["calls"]
    result = await cli("stats", "nowhere")
    assert result.code == 6
    assert result.err.startswith("error: no channel 'nowhere'")


async def test_stats_for_people_are_aligned_tables(cli: Cli) -> None:
    cli.served.it.time.stall(3600.5)
    fill(cli.served.notifications, *["x" * 200] * 17)
    await cli.served.bring(cli.served.calls, ChannelState.STOPPED)
    await cli("token", "get", "session")
    cli.served.it.time.stall(60)
    lines = (await cli("stats")).out.splitlines()
    assert lines[0] == f"app: pid {os.getpid()}, up 1h1m, 1 of 2 connections open"
    assert lines[3].split()[:4] == ["notifications", "ready", "17", "3.3KiB"]
    assert lines[-1].split() == ["session", "valid", "4m", "1", "1", "-"]


async def test_status_has_a_form_for_everybody(cli: Cli) -> None:
    await cli.served.bring(cli.served.calls, ChannelState.FAILED)
    table = await cli("status")
    assert table.out.splitlines()[2].split()[:2] == ["calls", "failed"]
    records = [json.loads(line) for line in (await cli("status", "--json")).out.splitlines()]
    expected = {"channel", "state", "since", "reason", "next", "critical", "attempt", "last_message_at"}
    assert [set(one) for one in records] == [expected | {"consumers", "clients", "problems"} for _ in range(2)]
    assert (await cli("status", "--line")).out == "app: 1/2 ready; calls failed\n"
    assert (await cli("status", "notifications", "--line")).out == "app: 1/1 ready\n"


async def test_problems_are_shown_in_every_form(cli: Cli) -> None:
    cli.manager.problems.state("gateway 127.0.0.1:8787", "the address is in use")
    cli.served.calls.problems.state("on_message", "exited with 3")
    table = await cli("status")
    assert table.out.splitlines()[3:] == [
        "problem: gateway 127.0.0.1:8787: the address is in use",
        "problem: calls: on_message: exited with 3",
    ]
    assert (await cli("status", "--line")).out == "app: 2/2 ready; 2 problems\n"
    result = await cli("status", "--json")
    assert [json.loads(line)["problems"] for line in result.out.splitlines()] == [[], ["on_message: exited with 3"]]
    assert result.err == "problem: gateway 127.0.0.1:8787: the address is in use\n"


@pytest.mark.parametrize(
    ("channel", "state", "code"),
    [
        ("notifications", "ready", 0),
        ("notifications", "idle", 0),
        ("notifications", "done", 0),
        ("notifications", "connecting", 8),
        ("notifications", "waiting", 8),
        ("notifications", "failed", 8),
        ("calls", "failed", 0),
    ],
)
async def test_check_fails_unless_what_is_critical_is_well(cli: Cli, channel: str, state: str, code: int) -> None:
    await cli.served.bring(cli.manager.channel(channel), ChannelState(state))
    result = await cli("status", "--check", "--line")
    assert (result.code, (await cli("status", "--line")).code) == (code, 0)
    assert result.out.startswith("app: ")


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.readline()).decode()


async def test_watch_prints_how_things_stand_and_then_each_change_as_it_comes(cli: Cli) -> None:
    async with started("status", "--watch") as process:
        assert "notifications ready" in await line(process)
        assert "calls ready" in await line(process)
        await cli.served.bring(cli.served.calls, ChannelState.WAITING)
        assert "calls waiting: closed by the server: 1006" in await line(process)


async def test_watch_json_is_the_same_objects(cli: Cli) -> None:
    async with started("status", "--watch", "--json", "calls") as process:
        assert json.loads(await line(process))["channel"] == "calls"
        await cli.served.bring(cli.served.notifications, ChannelState.FAILED)
        await cli.served.bring(cli.served.calls, ChannelState.STOPPED)
        assert json.loads(await line(process)) == cli.served.calls.status()


async def test_watch_line_redraws_the_line_but_for_a_change_that_it_does_not_show(cli: Cli) -> None:
    async with started("status", "--watch", "--line") as process:
        assert await line(process) == "app: 2/2 ready\n"
        cli.served.calls.problems.state("on_message", "exited with 3")
        cli.served.calls.problems.state("on_message", "exited with 4")
        await cli.served.bring(cli.served.calls, ChannelState.PAUSED)
        assert await line(process) == "app: 2/2 ready; 1 problem\n"
        assert await line(process) == "app: 1/2 ready; calls paused; 1 problem\n"


async def test_watch_on_a_terminal_is_a_table_that_redraws_itself(cli: Cli) -> None:
    ours, theirs = pty.openpty()
    loop = asyncio.get_running_loop()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    process = await start("status", "--watch", "calls", stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    seen = bytearray()

    async def shows(text: bytes) -> None:
        async with asyncio.timeout(60):
            while text not in seen:
                seen.extend(await loop.run_in_executor(None, os.read, ours, 1 << 16))

    await shows(b"ready")
    assert "\u2500".encode() in seen
    await cli.served.bring(cli.served.calls, ChannelState.WAITING)
    await shows(b"waiting")
    assert b"notifications" not in seen
    cli.served.calls.problems.state("on_message", "exited with 3")
    await shows(b"calls: on_message: exited with 3")
    process.send_signal(signal.SIGINT)
    await shows(b"\x1b[?25h")  # the cursor is back
    assert await process.wait() == 130
    os.close(ours)


async def test_ls_asks_every_manager_and_leaves_out_the_dead(cli: Cli) -> None:
    result = await cli("ls", "--json")
    assert {key: result.json[key] for key in ("instance", "file", "channels", "ready")} == {
        "instance": "app",
        "file": "/nonexistent/app.yaml",
        "channels": 2,
        "ready": 2,
    }
    assert (await cli("ls")).out.splitlines()[1].split()[-5:] == ["2", "of", "2", "ready", "/nonexistent/app.yaml"]
    await cli.served.server.close()
    assert (await cli("ls", "--json")) == (0, "", "")


async def test_ls_lists_a_manager_that_does_not_answer(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from wscli.cli import ls

    assert cli.served.server._accepting is not None
    cli.served.server._accepting.cancel()
    monkeypatch.setattr(ls, "ANSWER_DEADLINE", 0.01)
    assert "not answering" in (await cli("ls")).out


async def test_logs_are_for_people_or_for_programs(cli: Cli) -> None:
    record = {"ts": 1764000000.0, "level": "warning", "message": "calls: bye \x1b[2J", "channel": "calls"}
    cli.manager.logs["info"].append([json.dumps(record).encode()], None)
    result = await cli("logs")
    assert result.out.endswith(" warning calls: bye \\x1b[2J\n")
    assert (await cli("logs", "--json")).json == record
    assert (await cli("logs", "-n", "0")) == (0, "", "")


async def test_a_traceback_in_the_log_stands_below_its_line(cli: Cli) -> None:
    record = {"ts": 1764000000.0, "level": "error", "message": "oh", "traceback": "Traceback:\n  boom"}
    cli.manager.logs["info"].append([json.dumps(record).encode()], None)
    assert (await cli("logs")).out.endswith(" error oh\nTraceback:\n  boom\n")


async def test_logs_are_followed(cli: Cli) -> None:
    async with started("logs", "-f", "-n", "0", "--json") as process:
        await eventually(lambda: cli.manager.logs["info"]._wakes)  # somebody reads it
        cli.manager.logs["info"].append([b'{"message":"new"}'], None)
        assert await line(process) == '{"message":"new"}\n'


async def test_doctor_shows_each_step_and_its_time(cli: Cli) -> None:
    assert "attempt  none yet" in (await cli("doctor", "rooms/1")).out
    cli.served.it.server.refusals = [Failure(FailureKind.STATUS, "HTTP 503 with Retry-After", code=503)]
    cli.served.calls.restart()
    await cli.served.it.time.settle()
    last = cli.served.calls.subscription.last_attempt
    assert last is not None
    last.tokens["session"] = 3
    last.timeline.peer = "192.0.2.1:443"
    last.timeline.add("tcp", 0.0123, "connected to 192.0.2.1:443")
    last.timeline.add("upgrade", 0.2, "HTTP 503", ok=False)
    last.timeline.exchanges = [
        UpgradeExchange(
            "ws://server/calls?room=***", proxy="http://proxy:3128", headers=("Host", "X-Api-Key"),
            subprotocols=("v1",), extensions="permessage-deflate", status=503, phrase="Busy",
            answer=(("server", "a"), ("set-cookie", "***")), body="no \x1b[2J room\nnow",
        ),
        UpgradeExchange("ws://server/new", subprotocols=("v1",), status=101, phrase="Switching Protocols"),
    ]  # fmt: skip
    result = await cli("doctor", "calls")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[0].startswith("channel  calls: waiting: HTTP 503 with Retry-After; ")
    assert lines[1] == "url      ws://192.0.2.1/ws/calls"
    assert lines[2].endswith(" ago, to 192.0.2.1:443, with token session")
    assert lines[4].split() == ["tcp", "ok", "12ms", "connected", "to", "192.0.2.1:443"]
    assert lines[5].split() == ["upgrade", "FAILED", "200ms", "HTTP", "503"]
    assert lines[6:] == [
        "asked    ws://server/calls?room=***, through http://proxy:3128",
        "  headers  Host, X-Api-Key",
        "  offered  v1, permessage-deflate",
        "answer   HTTP 503 Busy",
        "  server: a",
        "  set-cookie: ***",
        "  body     no \\x1b[2J room\\nnow",
        "asked    ws://server/new",
        "  headers",
        "  offered  v1",
        "answer   HTTP 101 Switching Protocols",
        "  accepted none of them",
        "ended    HTTP 503 with Retry-After",
    ]
    assert (await cli("doctor", "calls", "--json")).json["attempt"]["failure"]["code"] == 503


async def test_doctor_shows_the_steps_of_the_session_and_names_the_one_that_failed(cli: Cli) -> None:
    last = cli.served.calls.subscription.last_attempt
    assert last is not None
    last.session = StepTrace()
    last.session.record(Stepped(None, "hello[0]", "wait for connected", 0.0, "", ok=True), 1.0)
    last.session.record(Stepped(None, "hello[1]", "send auth", 10.0, "no answer\x1b[2J within 10s", ok=False), 2.0)
    lines = (await cli("doctor", "calls")).out.splitlines()
    assert lines[-4:] == [
        "session",
        "  hello[0] ok         0ms  wait for connected",
        "  hello[1] FAILED     10s  send auth -> no answer\\x1b[2J within 10s",
        "failed   step hello[1]: send auth",
    ]


@pytest.mark.parametrize(
    ("refusals", "code"), [([], 0), ([REFUSED], 8), ([status(401)], 4), ([Failure(FailureKind.TOKEN, "no token")], 4)]
)
async def test_doctor_dial_says_that_it_dials_and_ends_as_the_dial_did(
    cli: Cli, refusals: list[Failure], code: int
) -> None:
    cli.served.it.server.refusals = refusals
    result = await cli("doctor", "calls", "--dial")
    assert result.code == code
    assert result.err == "dialled a second connection for calls, beside the channel's own, and closed it\n"
