"""Tokens, HTTP calls and commands of a session: each is answered once, in time, or ends with its attempt."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.daemon.upstream.session.conftest import Parts
from tests.waiting import eventually
from wscli.core.failures import FailureKind
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.session.calls import Answer, SessionCalls
from wscli.net.http import HttpAnswer, HttpRequest, RequestFailed
from wscli.session.actions import AskTokens, Call, CallFailed, CommandCall, Fetch

REQUEST = HttpRequest("POST", "https://api.example.com/ticket?key=s3cret", "https://api.example.com/ticket")


class Asking:
    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.record = AttemptRecord(started=0.0)
        self.answers: dict[int, Answer] = {}
        self.of_channel: dict[str, int] = {}
        self.calls = SessionCalls(
            parts.services, self.record, self._answered, lambda channel: self.of_channel, retry_after_max=60.0
        )

    def _answered(self, number: int, answer: Answer) -> None:
        assert number not in self.answers, "answered twice"
        self.answers[number] = answer

    async def ask(self, what: Any, *, within: float = 5.0, channel: Any = None) -> Answer:
        self.calls.start(Call(7, what, within, channel))
        await eventually(lambda: 7 in self.answers)
        return self.answers.pop(7)

    async def failed(self, what: Any) -> CallFailed:
        answer = await self.ask(what)
        assert isinstance(answer, CallFailed)
        return answer

    def run(self, code: str, *arguments: str, stdin: str | None = None) -> CommandCall:
        return CommandCall([sys.executable, "-c", code, *arguments], stdin)


@pytest.fixture
def a(parts: Parts) -> Iterator[Asking]:
    asking = Asking(parts)
    yield asking
    asking.calls.end()


async def test_tokens_count_as_used_by_the_attempt_or_by_the_channel_that_asked(a: Asking) -> None:
    assert await a.ask(AskTokens(frozenset({"api"}))) == {"api": "s3cret-one"}
    assert (a.record.tokens, a.of_channel) == ({"api": 1}, {})
    assert await a.ask(AskTokens(frozenset({"api"})), channel=SimpleNamespace(name="news")) == {"api": "s3cret-one"}
    assert a.of_channel.keys() == {"api"}
    assert "s3cret-one" in a.record.find_secrets()


async def test_a_token_source_that_fails_is_the_answer(a: Asking) -> None:
    a.parts.file.unlink()
    failure = (await a.failed(AskTokens(frozenset({"api"})))).failure
    assert failure.kind is FailureKind.TOKEN


async def test_the_body_of_an_accepted_status_is_the_answer(a: Asking) -> None:
    a.parts.http.answers = [HttpAnswer(201, b'{"a":1}', None), HttpAnswer(409, b"{}", None)]
    assert await a.ask(Fetch(REQUEST, frozenset({409}))) == b'{"a":1}'
    assert await a.ask(Fetch(REQUEST, frozenset({409}))) == b"{}"
    assert a.parts.http.asked[0].timeout == 5.0, "a step's time bounds its request"


async def test_another_status_is_a_failure_with_its_code_its_body_and_retry_after(a: Asking) -> None:
    a.parts.http.answers = [HttpAnswer(429, b'{"error":"slow"}', 3600.0)]
    answer = await a.failed(Fetch(REQUEST, frozenset()))
    failure = answer.failure
    assert (failure.kind, failure.code, failure.retry_after) == (FailureKind.STATUS, 429, 60.0)
    assert (failure.text, answer.body) == ("HTTP 429 from https://api.example.com/ticket", b'{"error":"slow"}')


async def test_a_request_that_fails_says_why(a: Asking) -> None:
    a.parts.http.answers = [RequestFailed("cannot resolve the host", refused=True)]
    failure = (await a.failed(Fetch(REQUEST, frozenset()))).failure
    assert (failure.kind, failure.text, failure.refused) == (FailureKind.SESSION, "cannot resolve the host", True)


async def test_a_command_gets_its_arguments_and_stdin_and_runs_beside_the_file(a: Asking, tmp_path: Path) -> None:
    code = "import sys, os; print(sys.argv[1], sys.stdin.read(), os.getcwd())"
    assert await a.ask(a.run(code, "one; two", stdin="s3cret")) == f"one; two s3cret {tmp_path}\n".encode()
    assert await a.ask(a.run("import sys; print(len(sys.stdin.read()))")) == b"0\n"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import sys; print('no key: s3cret-one', file=sys.stderr); sys.exit(3)", "exited with 3: no key: ***"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
        ("print('x' * 2_000_000)", "printed more than 1 MiB and was killed"),
    ],
)
async def test_a_command_that_fails_says_how_without_secrets(a: Asking, code: str, words: str) -> None:
    await a.ask(AskTokens(frozenset({"api"})))
    failure = (await a.failed(a.run(code))).failure
    assert (failure.kind, failure.text) == (FailureKind.SESSION, f"the command {sys.executable!r} {words}")


async def test_a_command_that_cannot_be_run_says_why(a: Asking) -> None:
    failure = (await a.failed(CommandCall(["/nonexistent/sign"], None))).failure
    assert failure.text == "cannot run the command '/nonexistent/sign': no such file or directory"


async def test_a_command_that_hangs_is_killed_with_its_children_at_the_end_of_its_time(
    a: Asking, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    code = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '99']); "
    code += "open(sys.argv[1], 'w').write(str(p.pid)); time.sleep(99)"
    a.calls.start(Call(1, a.run(code, str(pid)), 5.0, None))
    await eventually(lambda: pid.exists() and pid.read_text() != "")
    assert a.answers == {}
    await a.parts.time.advance(5.0)
    answer = a.answers[1]
    assert isinstance(answer, CallFailed)
    assert (answer.failure.kind, answer.failure.text) == (FailureKind.SESSION, "no answer within 5s")
    await eventually(lambda: _is_gone(int(pid.read_text())))
    await eventually(lambda: len(a.parts.tasks) == 0)


async def test_what_is_under_way_at_the_end_is_stopped_and_never_answered(a: Asking) -> None:
    a.calls.start(Call(1, a.run("import time; time.sleep(99)"), 60.0, None))
    a.calls.start(Call(2, AskTokens(frozenset({"api"})), 60.0, None))
    a.calls.end()
    await eventually(lambda: len(a.parts.tasks) == 0)
    assert (a.answers, a.parts.time.pending) == ({}, [])


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True
