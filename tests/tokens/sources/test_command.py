"""``command:`` runs a program: secrets by environment and stdin, errors quoted with care, nothing left behind."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from tests.waiting import eventually
from wscli.tokens.errors import SourceFailed
from wscli.tokens.fetcher import FetchContext
from wscli.tokens.models import TokenSource
from wscli.values import Scalar


async def fetched(context: FetchContext, command: Any) -> str:
    return (await TokenSource.model_validate({"command": command}).fetch(context)).text.reveal()


async def failure(context: FetchContext, command: Any) -> str:
    with pytest.raises(SourceFailed) as caught:
        await fetched(context, command)
    return caught.value.text


def sh(script: str, **keys: Any) -> dict[str, Any]:
    return {"run": ["sh", "-c", script], **keys}


def running(mark: str) -> list[psutil.Process]:
    """Processes with this argument that are more than a name waiting to be reaped."""
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if mark in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


async def gone(mark: str) -> None:
    """A killed process takes a moment to disappear."""
    await eventually(lambda: not running(mark))


async def test_what_it_prints_is_the_token(context: FetchContext) -> None:
    assert await fetched(context, ["printf", "  abc\\n"]) == "abc"


async def test_no_shell_looks_at_the_arguments(context: FetchContext) -> None:
    assert await fetched(context, ["echo", "$HOME;`id`", "*"]) == "$HOME;`id` *"


async def test_it_runs_where_the_file_is_with_the_managers_environment(context: FetchContext, tmp_path: Path) -> None:
    program = tmp_path / "prog"
    program.write_text('#!/bin/sh\necho "$PWD $A $B"\n')
    program.chmod(0o700)
    context.environ = {"A": "inherited", "B": "replaced"}
    command = {"run": ["./prog"], "environment": {"B": "{token.other}"}}
    assert await fetched(context, command) == f"{tmp_path} inherited other-value"


async def test_stdin_is_what_was_declared_and_otherwise_empty(context: FetchContext) -> None:
    assert await fetched(context, {"run": ["cat"], "stdin": "x{token.other}"}) == "xother-value"
    assert await failure(context, ["cat"]) == "the token is empty"


async def test_a_program_that_does_not_read_its_stdin_is_no_error(context: FetchContext) -> None:
    assert await fetched(context, {"run": ["echo", "t"], "stdin": "x" * (1 << 20)}) == "t"


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("echo hunter2; exit 3", "the command 'sh' exited with 3"),
        ("echo first >&2; printf 'no vault\\n\\n' >&2; exit 1", "the command 'sh' exited with 1: 'no vault'"),
        ("printf '\\033[31mred\\tx' >&2; exit 1", "the command 'sh' exited with 1: '\\x1b[31mred\\tx'"),
        ("kill -9 $$", "the command 'sh' was killed by signal 9"),
        ("printf '\\377'", "the output of the command 'sh' is not UTF-8"),
    ],
)
async def test_a_failure_gives_the_code_and_the_last_line_of_stderr(
    context: FetchContext, script: str, text: str
) -> None:
    assert await failure(context, sh(script)) == text


async def test_a_long_last_line_is_cut_and_what_was_handed_over_is_hidden(context: FetchContext) -> None:
    text = await failure(context, sh("cat >&2; exit 1", stdin="bad {token.other}"))
    assert text.endswith("'***'")
    text = await failure(context, sh('echo "bad $A" >&2; exit 1', environment={"A": "{token.other}"}))
    assert text.endswith(": 'bad ***'")
    quotes = "sed 's/.*://' >&2; exit 1"
    text = await failure(context, sh(quotes, stdin="key:{token.other}"))
    assert text.endswith(": '***'"), "a part of what was handed over"
    text = await failure(context, sh('echo "bad ${A#* }" >&2; exit 1', environment={"A": "Bearer {token.other}"}))
    assert text.endswith(": 'bad ***'")
    text = await failure(context, sh("head -c 9999 /dev/zero | tr '\\0' x >&2; exit 1"))
    assert len(text) < 260


async def test_a_program_that_is_not_there_or_no_program_is_named(context: FetchContext, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    missing = await failure(context, ["no-such-program"])
    assert missing == "cannot run the command 'no-such-program': no such file or directory"
    assert await failure(context, ["./data"]) == "cannot run the command './data': permission denied"
    hidden = Scalar("/hunter2/prog", redacted="/***/prog")
    assert "'/***/prog'" in await failure(context, [hidden])


async def test_a_slow_program_is_killed_with_its_whole_group(context: FetchContext) -> None:
    mark = str(uuid4())
    script = f"sh -c 'sleep 1000' {mark} & sh -c 'sleep 1000; exit' {mark}"
    text = await failure(context, sh(script, timeout="200ms"))
    assert text == "the command 'sh' took longer than 0.2 s and was killed"
    await gone(mark)


async def test_a_program_that_prints_without_end_is_killed(context: FetchContext) -> None:
    mark = str(uuid4())
    text = await failure(context, {"run": ["sh", "-c", "yes hunter2", mark], "timeout": "30s"})
    assert text == "the command 'sh' printed more than 64 KiB and was killed"
    await gone(mark)


async def test_stderr_without_end_is_not_kept(context: FetchContext) -> None:
    assert await fetched(context, sh("head -c 5000000 /dev/zero >&2; echo t")) == "t"


async def test_cancelling_kills_it_with_its_whole_group(context: FetchContext, tmp_path: Path) -> None:
    mark = str(uuid4())
    script = f"sh -c 'sleep 1000; exit' {mark} & echo > started; wait"
    task = asyncio.create_task(fetched(context, sh(script)))
    await eventually((tmp_path / "started").exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(mark)


async def test_a_child_that_keeps_stdout_open_is_waited_for_until_the_deadline(context: FetchContext) -> None:
    mark = str(uuid4())
    text = await failure(context, sh(f"sh -c 'sleep 1000; exit' {mark} & echo t", timeout="200ms"))
    assert "took longer than 0.2 s" in text
    await gone(mark)


async def test_runs_leave_no_descriptor_and_no_child(context: FetchContext) -> None:
    process = psutil.Process()
    await fetched(context, ["echo", "t"])
    before, children = process.num_fds(), process.children()
    for number in range(20):
        await (fetched(context, ["echo", "t"]) if number % 2 else failure(context, ["false"]))
    assert process.num_fds() == before
    assert process.children() == children


async def test_its_terminal_is_not_ours(context: FetchContext) -> None:
    """A session of its own: it can neither ask on our terminal nor be hit by our Ctrl-C."""
    sid = await fetched(context, sh("ps -o sid= -p $$ 2>/dev/null || cut -d' ' -f6 /proc/$$/stat"))
    assert int(sid) != os.getsid(0)
