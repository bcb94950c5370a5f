"""``wait``, ``start``, ``stop``, ``restart``, ``rotate``, ``pause``, ``resume``, ``reload``, ``token``, ``down``."""

from __future__ import annotations

import asyncio
import fcntl
import os
from dataclasses import replace

import pytest

from tests.cli.commands import Cli, cli
from tests.waiting import eventually
from wscli.cli.reload import report_text
from wscli.control.paths import lock_path
from wscli.control.protocol import STATES
from wscli.core.states import ChannelState
from wscli.tokens.models import TokenSource

__all__ = ["cli"]


def test_wait_knows_every_state() -> None:
    assert set(STATES) == set(ChannelState)


async def test_wait_is_silent_and_0_when_all_are_there(cli: Cli) -> None:
    assert await cli("wait", "notifications", "calls", "--timeout", "30s") == (0, "", "")


async def test_wait_returns_as_soon_as_the_last_one_is_there(cli: Cli) -> None:
    calls = cli.served.calls
    await cli.served.bring(calls, ChannelState.CONNECTING)
    waiting = asyncio.create_task(cli("wait", "notifications", "calls"))
    await eventually(lambda: calls.in_use)
    await cli.served.bring(calls, ChannelState.READY)
    assert (await waiting).code == 0


async def test_wait_that_times_out_is_124_and_says_what_it_waited_for(cli: Cli) -> None:
    await cli.served.bring(cli.served.calls, ChannelState.WAITING)
    result = await cli("wait", "notifications", "calls", "--timeout", "10ms")
    assert result.code == 124
    assert result.err.startswith(
        "error: not ready within 10ms: calls is waiting 0 s: closed by the server: 1006; attempt 2\nhint: `wscli "
    )


@pytest.mark.parametrize(("refused", "code"), [(False, 8), (True, 4)])
async def test_wait_for_a_channel_that_failed_is_over_at_once(cli: Cli, refused: bool, code: int) -> None:
    await cli.served.bring(cli.served.calls, ChannelState.FAILED, refused=refused)
    result = await cli("wait", "calls")
    assert result.code == code
    assert "'calls' is failed" in result.err
    assert "hint: " in result.err


@pytest.mark.parametrize(
    ("verb", "outcome"),
    [
        ("start", "ready: connected and ready"),
        ("stop", "stopped: stopped by hand"),
        ("restart", "connecting: restarted by hand"),
        ("rotate", "ready: connected and ready; rotating, the next connection: connecting in place of the last one"),
        ("pause", "paused: paused by hand"),
    ],
)
async def test_steps_by_hand_are_taken_and_the_outcome_is_told_on_stderr(cli: Cli, verb: str, outcome: str) -> None:
    assert await cli(verb, "calls") == (0, "", f"calls: {outcome}\n")


async def test_pause_and_resume_take_all_or_those_that_are_not_critical(cli: Cli) -> None:
    channels = cli.served.notifications, cli.served.calls
    await cli("pause", "--noncritical")
    assert [one.state for one in channels] == ["ready", "paused"]
    await cli("pause")
    assert [one.state for one in channels] == ["paused", "paused"]
    await cli("resume")
    await cli.served.it.time.settle()
    assert [one.state for one in channels] == ["ready", "ready"]


async def test_a_token_is_printed_alone_and_all_else_is_without_a_value(cli: Cli) -> None:
    assert await cli("token", "get", "session") == (0, "s3cret\n", "")
    assert (await cli("token", "refresh", "session")).err == "token 'session' is fresh, and expires in 5m\n"
    assert (await cli("token", "forget", "session")).err == "token 'session' is forgotten\n"
    assert await cli("token", "get", "session") == (0, "s3cret\n", "")
    assert (await cli("token", "ls", "--json")).json["session"]["state"] == "valid"
    assert "s3cret" not in (await cli("token", "ls")).out
    endless = TokenSource.model_validate({"value": "s3cret"})
    cli.manager.apply(replace(cli.manager.plan, tokens={"session": endless}))
    assert (await cli("token", "refresh", "session")).err == "token 'session' is fresh\n"


async def test_a_token_that_cannot_be_had_is_4_and_an_unknown_one_2(cli: Cli) -> None:
    cli.served.token.unlink()
    result = await cli("token", "get", "session")
    assert result.code == 4
    assert result.err.startswith("error: token 'session': ")
    assert (await cli("token", "get", "sesion")).code == 2


def test_a_reload_is_told_by_kind_and_what_did_not_happen_is_left_out() -> None:
    report = {"kept": ["a", "b"], "updated": [], "restarted": ["c\x1b"], "added": [], "removed": []}
    assert report_text(report) == "kept       a, b\nrestarted  c\\x1b\n"


async def test_down_returns_once_the_process_has_ended_whatever_became_of_its_lock(cli: Cli) -> None:
    downing = asyncio.create_task(cli("down"))
    await cli.manager.stopping.wait()
    await asyncio.sleep(0)
    assert not downing.done()
    cli.served.end_process()
    assert await downing == (0, "", "app is down\n")


async def test_down_of_a_manager_that_hung_up_returns_once_its_lock_is_free(cli: Cli) -> None:
    lock = os.open(lock_path(cli.served.instance.directory, "app"), os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    downing = asyncio.create_task(cli("down"))
    await cli.manager.stopping.wait()
    cli.served.end_process()
    assert not downing.done()
    os.close(lock)
    assert await downing == (0, "", "app is down\n")


async def test_down_that_takes_too_long_is_124_and_names_the_process(cli: Cli) -> None:
    lock = os.open(lock_path(cli.served.instance.directory, "app"), os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    result = await cli("down", "--timeout", "20ms")
    os.close(lock)
    assert result.code == 124
    assert f"`kill -9 {os.getpid()}`" in result.err
