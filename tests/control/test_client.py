"""The one client, against a scripted manager."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from wscli.control.client import ManagerConnection, ManagerGone
from wscli.control.paths import Instance
from wscli.control.protocol import PROTOCOL, ProtocolError
from wscli.errors import TimedOut, UnknownChannel

INSTANCE = Instance("app", "/srv/app.yaml", 1, "/run")
GREETING = b'{"v":%d,"wscli":"0.1.0",' % PROTOCOL


@contextmanager
def scripted(script: Callable[[socket.socket], None]) -> Iterator[ManagerConnection]:
    ours, theirs = socket.socketpair()

    def act() -> None:
        with theirs:
            script(theirs)

    thread = threading.Thread(target=act)
    thread.start()
    try:
        with ManagerConnection(INSTANCE, ours) as client:
            yield client
    finally:
        thread.join(10)


def says(data: bytes, size: int = 1 << 16) -> Callable[[socket.socket], None]:
    def script(sock: socket.socket) -> None:
        sock.recv(1 << 16)
        for start in range(0, len(data), size):
            sock.sendall(data[start : start + size])

    return script


@pytest.mark.parametrize("size", [1 << 16, 1])
def test_a_result_is_given_and_an_error_is_raised_as_its_class(size: int) -> None:
    with scripted(says(GREETING + b'"ok":true,"result":{"a":1}}\n', size)) as client:
        assert client.request("ping") == {"a": 1}
    refusal = b'"ok":false,"error":{"code":6,"message":"no","hint":null}}\n'
    with scripted(says(GREETING + refusal)) as client, pytest.raises(UnknownChannel, match="no"):
        client.request("ping")


def test_what_comes_with_the_answer_belongs_to_the_stream() -> None:
    with scripted(says(GREETING + b'"ok":true,"result":{}}\nframes')) as client:
        client.request("tail")
        sock, rest = client.take_over()
        assert rest == b"frames"
        assert sock.recv(1) == b""


def test_a_manager_that_hangs_up_is_told_from_one_that_is_late() -> None:
    with scripted(says(b'{"v":%d' % PROTOCOL)) as client, pytest.raises(ManagerGone, match="'app' hung up"):
        client.request("ping")
    done = threading.Event()

    def late(sock: socket.socket) -> None:
        done.wait(10)

    with scripted(late) as client:
        with pytest.raises(TimedOut):
            client.request("ping", timeout=0.01)
        with pytest.raises(TimedOut):
            client.answer(timeout=0)
        done.set()


def test_the_refusal_of_a_manager_that_read_nothing_is_still_read() -> None:
    said = threading.Event()

    def refuse(sock: socket.socket) -> None:
        sock.sendall(GREETING + b'"ok":false,"error":{"code":1,"message":"full","hint":null}}\n')
        sock.close()
        said.set()

    with scripted(refuse) as client:
        said.wait(10)
        with pytest.raises(Exception, match="full"):
            client.request("stats", payload=b"x" * 100)


def test_a_manager_of_another_version_is_an_error_except_for_what_all_versions_speak() -> None:
    answer = b'{"v":%d,"wscli":"9.0","ok":true,"result":{}}\n' % (PROTOCOL + 1)
    with scripted(says(answer)) as client, pytest.raises(ProtocolError, match="protocol 2"):
        client.request("stats")
    for verb in ("ping", "down"):
        with scripted(says(answer)) as client:
            assert client.request(verb) == {}


def test_sending_says_whether_the_manager_was_there_to_take_it() -> None:
    with scripted(says(b"")) as client:
        assert client.start("send") is True
        assert client.sock.recv(1) == b""
        assert client.send_line({"bytes": 1 << 20}, b"x" * (1 << 20)) is False


def test_a_manager_that_takes_nothing_is_not_waited_for_longer_than_is_said() -> None:
    done = threading.Event()
    with scripted(lambda sock: done.wait(10) and None) as client:
        assert client.start("send", payload=b"x" * (8 << 20), timeout=0.01) is False
        done.set()
