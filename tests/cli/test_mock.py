"""``wscli mock`` as a process: what it says, how it ends, and every mistake."""

from __future__ import annotations

import re
import signal
import socket
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.mock.recorded import gap, message, written
from tests.processes import Process, Wscli, wscli

__all__ = ["wscli"]

ANYWHERE = ("--listen", "127.0.0.1:0")


def urls(mock: Process, count: int = 1) -> list[str]:
    """Where it listens, as it says on stderr."""
    mock.until(lambda: sum("ws://" in line for line in mock.err) == count)
    return [line.split()[0] for line in mock.err if "ws://" in line]


def records(wscli: Wscli, *made: dict[str, object]) -> str:
    return str(wscli.file(written(made).decode(), "f.ndjson"))


def test_it_says_where_each_channel_is_and_what_is_left_out(wscli: Wscli) -> None:
    made = [message(0), gap(), gap("paused"), message(90), message(3, channel="rooms/4 2")]
    path = records(wscli, *made)
    with wscli.start("mock", path, *ANYWHERE, "--speed", "2") as mock:
        mock.until(lambda: "left out" in mock.stderr)
        assert re.fullmatch(
            rf"{path} is replayed until Ctrl-C:\n"
            r"  ws://127\.0\.0\.1:\d+/news  2 messages in 45s\n"
            r"  ws://127\.0\.0\.1:\d+/rooms/4%202  1 message\n"
            r"2 gaps are left out",
            mock.stderr,
        )
    with wscli.start("mock", path, *ANYWHERE, "--outages", "--speed", "max") as mock:
        mock.until(lambda: "1 gap is left out" in mock.stderr)
        assert "2 messages\n" in mock.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped_and_closes_its_clients_then(wscli: Wscli, number: int) -> None:
    with wscli.start("mock", records(wscli, message(), message(3600)), *ANYWHERE) as mock:
        with connect(urls(mock)[0], proxy=None) as client:
            assert client.recv(timeout=30) == "hello"
            mock.popen.send_signal(number)
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=30)
            assert client.close_code == 1001
        assert mock.wait() == 0
        assert mock.out == []


def test_the_options_are_those_of_the_server(wscli: Wscli) -> None:
    path = records(wscli, message(0, "a"), message(0.001, "b"), gap(), message(3600, b"c"))
    with wscli.start("mock", path, *ANYWHERE, "--speed", "1e7", "--close", "--outages", "-v") as mock:
        url = urls(mock)[0]
        for expected, code in ((["a", "b"], 1006), ([b"c"], 1000)):
            with connect(url, proxy=None) as client:
                assert [client.recv(timeout=30) for _ in expected] == expected
                with pytest.raises(ConnectionClosed):
                    client.recv(timeout=30)
                assert client.close_code == code
        mock.until(lambda: "news: client 2 went, with 1000" in mock.stderr)
    options = ("--speed", "max", "--loop", "--origin", "https://A.example/")
    with (
        wscli.start("mock", path, *ANYWHERE, *options) as mock,
        connect(urls(mock)[0], proxy=None, origin=Origin("https://a.example"), close_timeout=0.1) as client,
    ):
        assert [client.recv(timeout=30) for _ in range(7)] == ["a", "b", b"c", "a", "b", b"c", "a"]


def test_what_a_client_sends_cannot_steer_the_terminal(wscli: Wscli) -> None:
    with wscli.start("mock", records(wscli, message()), *ANYWHERE, "--verbose") as mock:
        with connect(urls(mock)[0], proxy=None) as client:
            client.send("\x1b[2Jgone\nerror: x")
            mock.until(lambda: "sent" in mock.stderr)
        assert "news: client 1 sent \\x1b[2Jgone\\nerror: x" in mock.err


def test_stdin_is_read_to_its_end(wscli: Wscli) -> None:
    with wscli.start("mock", "-", *ANYWHERE, stdin=True) as mock:
        mock.write(written([message()]).decode())
        assert mock.popen.stdin is not None
        mock.popen.stdin.close()
        with connect(urls(mock)[0], proxy=None) as client:
            assert client.recv(timeout=30) == "hello"
        assert mock.err[0] == "stdin is replayed until Ctrl-C:"


def test_an_interrupt_before_it_serves_is_130(wscli: Wscli) -> None:
    with wscli.start("mock", "-", *ANYWHERE, stdin=True) as mock:
        mock.write(written([message()]).decode() * 5000)  # more than a pipe holds: it reads by now
        mock.popen.send_signal(signal.SIGINT)
        assert mock.wait() == 130
        assert mock.err == []


def test_a_torn_last_line_is_told(wscli: Wscli) -> None:
    path = wscli.file(written([message(), message()]).decode()[:-9], "f.ndjson")
    with wscli.start("mock", str(path), *ANYWHERE) as mock:
        mock.until(lambda: "its last line is not whole, and is left out" in mock.stderr)


@pytest.mark.parametrize(
    ("text", "code", "error"),
    [
        (None, 2, "cannot read 'f.ndjson': no such file or directory"),
        (b"", 1, "f.ndjson holds no message"),
        (written([message()]) + b"\x1b[2J\n", 1, "f.ndjson:2: '\\x1b[2J' is not JSON"),
    ],
)
def test_what_cannot_be_replayed_is_one_line_and_a_hint(
    wscli: Wscli, text: bytes | None, code: int, error: str
) -> None:
    if text is not None:
        (wscli.directory / "f.ndjson").write_bytes(text)
    done = wscli("mock", "f.ndjson", *ANYWHERE)
    first, second = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (code, "")
    assert first.startswith("error: ")
    assert error in first
    assert second == "hint: `wscli tail CHANNEL --json` writes what can be replayed"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--speed", "0"], "invalid speed: '0'; it must be max, or a number above 0"),
        (["--speed", "-1"], "invalid speed: '-1'"),
        (["--speed", "nan"], "invalid speed: 'nan'"),
        (["--speed", "inf"], "invalid speed: 'inf'"),
        (["--speed", "fast"], "invalid speed: 'fast'"),
        (["--listen", "8790"], "invalid address: '8790'; it must be HOST:PORT"),
        (["--listen", ":8790"], "invalid address: ':8790'"),
        (["--listen", "::1:8790"], "invalid address: '::1:8790'; it must be HOST:PORT or [IPV6]:PORT"),
        (["--listen", "127.0.0.1:65536"], "invalid address: '127.0.0.1:65536'"),
        (["--origin", "a.test"], "invalid origin: 'a.test'; it must be null, or such as https://app.example.com"),
        (["--origin", "https://app.example.com/page"], "invalid origin"),
        (["--origin", "*"], "invalid origin"),
        (["--loop", "--close"], "--loop and --close exclude each other"),
    ],
)
def test_a_mistake_on_the_command_line_is_2(wscli: Wscli, options: list[str], error: str) -> None:
    done = wscli("mock", records(wscli, message()), *options)
    first, second = done.stderr.splitlines()
    assert done.returncode == 2
    assert error in first
    assert second.startswith("hint: ")


def test_a_port_that_is_taken_is_told(wscli: Wscli, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = wscli("mock", records(wscli, message()), "--listen", place)
    assert done.returncode == 1
    assert done.stderr == (
        f"error: cannot listen at {place}: address already in use\n"
        "hint: --listen takes another address; 127.0.0.1:0 is any port that is free\n"
    )


def test_a_place_that_is_not_this_machines_is_told(wscli: Wscli) -> None:
    done = wscli("mock", records(wscli, message()), "--listen", "203.0.113.1:0")
    assert (done.returncode, done.stderr.splitlines()[1]) == (1, "hint: --listen takes another address")
    assert done.stderr.startswith("error: cannot listen at 203.0.113.1:0: ")
