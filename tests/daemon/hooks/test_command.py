"""A hook's command: how it ends, how its failure is worded, and that nothing of it outlives its timeout."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from tests.daemon.hooks.hooked import alive, sh
from tests.daemon.passing import let_pass
from tests.waiting import descriptors, eventually
from wscli.config.models.hooks import HookPlan, MessageHook
from wscli.daemon.hooks import command
from wscli.daemon.hooks.command import STARTS_APART, StartPacer, run_command
from wscli.values import Scalar


async def outcome(directory: Path, plan: HookPlan, event: bytes = b"{}\n") -> str | None:
    return await run_command(plan, event, cwd=directory, environ=os.environ)


def pid(path: Path) -> int:
    return int(path.read_text())


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("exit 0", None),
        ("echo fine >&2", None),
        ("exit 3", "exited with 3"),
        ("echo first >&2; printf 'no such call\\n\\n' >&2; exit 3", "exited with 3: no such call"),
        ("printf '\\033[2Jred\\tx\\377' >&2; exit 1", "exited with 1: \\x1b[2Jred\\tx\ufffd"),
        ("kill -SEGV $$", "killed by SIGSEGV"),
        ("head -c 100000 /dev/zero | tr '\\0' x; exit 1", "exited with 1"),
        ("head -c 9999 /dev/zero | tr '\\0' x >&2; exit 1", f"exited with 1: {'x' * 200}..."),
    ],
)
async def test_a_failure_gives_the_code_and_the_last_line_of_stderr(
    tmp_path: Path, script: str, text: str | None
) -> None:
    assert await outcome(tmp_path, sh(script)) == text


async def test_secrets_are_masked_in_the_quoted_line(tmp_path: Path) -> None:
    async def said(script: str) -> str | None:
        secrets = ["the", "hunter2", "hunter2-long", "a/b+c?d"]
        return await run_command(sh(script), b"", cwd=tmp_path, environ=os.environ, secrets=lambda: secrets)

    assert await said("echo the key hunter2-long, or hunter2 >&2; exit 1") == "exited with 1: the key ***, or ***"
    cut = await said("printf '%0196dhunter2' 0 >&2; exit 1")
    assert cut == f"exited with 1: {'0' * 196}***"
    quoted = await said("echo 'GET /?key=a%2Fb%2Bc%3Fd failed' >&2; exit 1")
    assert quoted == "exited with 1: GET /?key=*** failed", "as a URL has it"


async def test_a_command_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    assert await outcome(tmp_path, MessageHook(exec=("./handle",))) == "not found: './handle'"
    assert await outcome(tmp_path, MessageHook(exec=("no-such-\x1bprogram",))) == "not found: 'no-such-\\x1bprogram'"
    hidden = Scalar("/hunter2/program", redacted="/***/program")
    assert await outcome(tmp_path, MessageHook(exec=(hidden,))) == "not found: '/***/program'"
    assert await outcome(tmp_path, MessageHook(exec=("./data",))) == "cannot run './data': permission denied"
    assert await outcome(tmp_path, MessageHook(exec=("echo", "a\0b"))) == "cannot run 'echo': NUL in an argument"


async def test_no_shell_expands_the_arguments(tmp_path: Path) -> None:
    assert await outcome(tmp_path, MessageHook(exec=("touch", "$HOME;`id`"))) is None
    assert (tmp_path / "$HOME;`id`").exists()


async def test_a_large_event_arrives_whole_and_need_not_be_read(tmp_path: Path) -> None:
    assert await outcome(tmp_path, sh("exit 0"), b"x" * (1 << 20)) is None
    assert await outcome(tmp_path, sh("cat > out"), b"x" * (1 << 20)) is None
    assert (tmp_path / "out").stat().st_size == 1 << 20


async def test_endless_output_is_killed_at_the_timeout_or_for_its_size(tmp_path: Path) -> None:
    assert await outcome(tmp_path, MessageHook(exec=("yes",), timeout=0.1)) == "killed after 100ms"
    assert await outcome(tmp_path, sh("yes >&2", timeout=60)) == "killed after 1 MiB on stderr"


async def test_a_command_that_hangs_gets_sigterm_and_its_process_group_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "GRACE", 1e6)
    script = "trap 'echo asked > asked' TERM; sleep 1000 & echo $! > child; echo $$ > self; while :; do wait; done"
    running = asyncio.create_task(outcome(tmp_path, sh(script, timeout=60)))
    await eventually(lambda: (tmp_path / "self").exists() and (tmp_path / "self").read_text())
    while not ((tmp_path / "asked").exists() and (tmp_path / "asked").read_text()):
        let_pass(60.0)
        await asyncio.sleep(0.01)
    assert not running.done()
    let_pass(1e6)
    assert await running == "killed after 1m"
    assert (tmp_path / "asked").read_text() == "asked\n"
    await eventually(lambda: not alive(pid(tmp_path / "self")) and not alive(pid(tmp_path / "child")))


async def test_a_command_that_ends_at_sigterm_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "GRACE", 60.0)
    began = asyncio.get_running_loop().time()
    assert await outcome(tmp_path, MessageHook(exec=("sleep", "1000"), timeout=0.05)) == "killed after 50ms"
    assert asyncio.get_running_loop().time() - began < 30


@pytest.mark.parametrize("code", [0, 3])
async def test_a_background_process_that_holds_the_streams_is_not_waited_for(tmp_path: Path, code: int) -> None:
    text = await outcome(tmp_path, sh(f"sleep 1000 & echo $! > child; echo oh >&2; exit {code}", timeout=30))
    assert text == (None if code == 0 else "exited with 3: oh")
    assert alive(pid(tmp_path / "child")), "what it put in the background is its own"
    os.kill(pid(tmp_path / "child"), 9)


async def test_cancelling_kills_the_process_group(tmp_path: Path) -> None:
    task = asyncio.create_task(outcome(tmp_path, sh("trap '' TERM; sleep 1000 & echo $! > child; wait", timeout=60)))
    await eventually(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())
    task.cancel()
    began = asyncio.get_running_loop().time()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.get_running_loop().time() - began < 30
    await eventually(lambda: not alive(pid(tmp_path / "child")))


async def test_runs_leave_no_descriptor(tmp_path: Path) -> None:
    await outcome(tmp_path, sh("exit 0"))
    before = descriptors()
    await asyncio.gather(*(outcome(tmp_path, sh(script)) for script in ("exit 0", "exit 1", "echo x >&2", "cat")))
    await outcome(tmp_path, MessageHook(exec=("./nowhere",)))
    await outcome(tmp_path, MessageHook(exec=("sleep", "10"), timeout=0.01))
    await eventually(lambda: descriptors() <= before)


async def test_commands_are_started_apart_and_in_order() -> None:
    starts, passed = StartPacer(), []
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def one(number: int) -> None:
        await starts.turn()
        passed.append((number, loop.time()))

    await asyncio.gather(*map(one, range(4)))
    assert [number for number, _ in passed] == [0, 1, 2, 3]
    assert passed[-1][1] - began >= 2.9 * STARTS_APART


async def test_a_cancelled_start_delays_no_other() -> None:
    starts = StartPacer()
    await starts.turn()
    waiting = asyncio.create_task(starts.turn())
    behind = asyncio.create_task(starts.turn())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait_for(behind, 30)
