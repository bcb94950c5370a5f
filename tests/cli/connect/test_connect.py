"""``wscli connect``: a session on a channel's shared connection, or with a URL and no manager at all."""

from __future__ import annotations

import itertools
import os
import pty
import subprocess
from collections.abc import Iterator

import pytest

from tests.backend.process import BackendProcess
from tests.processes import COMMAND, Wscli
from tests.waiting import with_more_time

YAML = """
version: 1
endpoints:
  e: {url: "ws://127.0.0.1:PORT/ws", query: {token: "{token.session}"}}
tokens:
  session: {http: {post: "http://127.0.0.1:PORT/ws-token"}, read: {token: .token}}
channels:
  consultations/{id}: {endpoint: e, path: "/consultations/{id}"}
"""


_numbers = itertools.count(7)


@pytest.fixture(scope="module")
def backend() -> Iterator[BackendProcess]:
    with BackendProcess() as process:
        yield process


@pytest.fixture(scope="module")
def up(backend: BackendProcess) -> Iterator[Wscli]:
    with Wscli() as wscli, wscli.up(YAML.replace("PORT", str(backend.port))):
        yield wscli


@pytest.fixture
def channel() -> str:
    """A channel that no other test uses."""
    return f"consultations/{next(_numbers)}"


@pytest.fixture
def url(up: Wscli, backend: BackendProcess, channel: str) -> str:
    token = up("token", "get", "session").stdout.strip()
    return f"ws://127.0.0.1:{backend.port}/ws/{channel}?token={token}"


@pytest.fixture(params=["channel", "url"])
def where(request: pytest.FixtureRequest) -> str:
    """A channel, and its URL without a manager."""
    return str(request.getfixturevalue(request.param))


def test_a_line_sends_and_messages_print(up: Wscli, where: str) -> None:
    with up.start("connect", where, stdin=True) as session:
        session.until(lambda: any("welcome" in line for line in session.out))
        session.write('{"type": "chat", "text": "hi"}\n')
        session.until(lambda: any('"sent"' in line for line in session.out))
        assert session.popen.stdin is not None
        session.popen.stdin.close()
        assert session.wait() == 0
        assert session.stderr == ""


def test_a_channel_in_a_session_has_one_connection_that_others_share(up: Wscli, channel: str) -> None:
    with up.start("connect", channel, stdin=True) as session:
        session.until_lines(1)
        assert up("send", channel, '{"type": "chat", "text": "from elsewhere"}').returncode == 0
        session.until(lambda: any('"sent"' in line for line in session.out))
        assert up.json("status", channel, "--json")["state"] == "ready"
        assert up.json("stats", "--json", channel)["channels"][channel]["connects"] == 1


def test_what_is_piped_in_is_sent_and_the_answers_are_still_printed(up: Wscli, where: str) -> None:
    def answered(linger: float) -> bool:
        lines = '{"type": "chat", "text": "a"}\n{"type": "chat", "text": "b"}'
        done = up("connect", where, "--linger", f"{linger}s", input=lines)
        assert done.returncode == 0, done.stderr
        return done.stdout.count('"sent"') == 2

    assert with_more_time(answered, 1.0)


def test_without_a_linger_a_pipe_ends_with_its_input(up: Wscli, where: str) -> None:
    assert up("connect", where, "--linger", "0").returncode == 0


def test_control_d_ends_a_terminals_session_and_control_characters_are_escaped(up: Wscli, where: str) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*COMMAND, "connect", where], stdin=theirs, stdout=theirs, stderr=theirs, env=up.env)
    os.close(theirs)
    seen = b""
    while b"welcome" not in seen:
        seen += os.read(ours, 1 << 16)
    assert b"Ctrl-D ends" in seen
    os.write(ours, b'{"type": "chat", "text": "hi"}\n')
    while b'"sent"' not in seen:
        seen += os.read(ours, 1 << 16)
    os.write(ours, b"\x04")
    assert process.wait(60) == 0
    os.close(ours)


def test_a_session_that_nobody_reads_any_more_ends_well(up: Wscli, channel: str, where: str) -> None:
    with subprocess.Popen(
        [*COMMAND, "connect", where], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=up.env
    ) as process:
        assert process.stdout is not None
        assert b"welcome" in process.stdout.readline()
        process.stdout.close()
        assert up("send", channel, '{"type": "chat", "text": "to all"}').returncode == 0
        assert process.wait(60) == 0


def test_a_server_that_closes_a_url_ends_it_as_its_code_says(up: Wscli, url: str, backend: BackendProcess) -> None:
    for code, ends in ((1000, 0), (1011, 8), (4401, 4)):
        with up.start("connect", url, stdin=True) as session:
            session.until_lines(1)
            backend.order("kick", code=code)
            assert session.wait() == ends


def test_a_url_that_cannot_be_had_is_8_and_one_that_refuses_is_4(up: Wscli, backend: BackendProcess) -> None:
    assert up("connect", "ws://127.0.0.1:1/x").returncode == 8
    refused = up("connect", f"ws://127.0.0.1:{backend.port}/ws/notifications?token=wrong")
    assert refused.returncode == 4
    assert "--header" in refused.stderr
    assert "wrong" not in refused.stderr


def test_a_line_that_is_no_text_is_an_error(up: Wscli, channel: str, url: str) -> None:
    done = up("connect", url, input=b"\xff\n")
    assert (done.returncode, "not UTF-8" in done.stderr) == (1, True)
    done = up("connect", channel, input=b"\xff\n")
    assert (done.returncode, "not UTF-8" in done.stderr) == (7, True)


def test_input_from_a_file_is_read_as_well(up: Wscli, where: str) -> None:
    file = up.directory / "lines"
    file.write_text('{"type": "chat", "text": "a"}\n')

    def answered(linger: float) -> bool:
        command = [*COMMAND, "connect", where, "--linger", f"{linger}s"]
        with file.open() as lines:
            done = subprocess.run(command, stdin=lines, env=up.env, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.count(b'"sent"') == 1

    assert with_more_time(answered, 1.0)
