"""A listening address is bound only where nothing else is, and retried."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from pathlib import Path

import pytest

from tests.gateway.faced import Faced
from tests.waiting import eventually
from wscli.config.models.gateway import Listen
from wscli.gateway.listener import GatewayListener
from wscli.problems import Problems
from wscli.timing import call_later


async def problems_of_listening(path: Path) -> list[str]:
    """Listen at a path for a moment, and give the problems that were stated."""
    problems = Problems()
    one = GatewayListener(Listen(path=path), problems, call_later, lambda sock, place: sock.close())
    one.open()
    texts = problems.texts()
    await one.close()
    return texts


async def test_a_file_that_is_not_a_socket_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary")
    (problem,) = await problems_of_listening(path)
    assert "the file there is not a socket" in problem
    assert path.read_text() == "dear diary"


async def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    assert await problems_of_listening(path) == []


async def test_a_socket_with_a_full_backlog_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    with socket.socket(socket.AF_UNIX) as busy:
        busy.bind(str(path))
        busy.listen(0)
        queued = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        for sock in queued:
            sock.setblocking(False)
            sock.connect_ex(str(path))
        (problem,) = await problems_of_listening(path)
        assert "in use" in problem
        for sock in queued:
            sock.close()
        assert path.exists()


async def test_the_socket_of_another_process_at_its_path_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    one = GatewayListener(Listen(path=path), Problems(), call_later, lambda sock, place: sock.close())
    one.open()
    path.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        await one.close()
        assert path.exists()


async def test_a_reload_that_widens_an_address_takes_it_over_at_once(it: Faced) -> None:
    narrow = Listen(port=it.port)
    for listen in (narrow, Listen(host="0.0.0.0", port=it.port), narrow):
        it.listen(listen)
        await it.it.time.settle()
        assert it.manager.problems.texts() == []
        assert it.stats["listen"] == [str(listen)]


async def test_failing_to_accept_is_stated_once_and_mended(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    loop = asyncio.get_running_loop()
    accept, failures = loop.sock_accept, 3

    async def out_of_descriptors(sock: socket.socket) -> object:
        nonlocal failures
        if failures:
            failures -= 1
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return await accept(sock)

    monkeypatch.setattr(loop, "sock_accept", out_of_descriptors)
    monkeypatch.setattr("wscli.sockets.CALM", 0.2)
    problems, taken = Problems(), []
    one = GatewayListener(Listen(), problems, call_later, lambda sock, place: taken.append(sock))
    one.open()
    await eventually(lambda: "too many open files" in " ".join(problems.texts()))
    assert one.bound is not None
    with socket.create_connection(("127.0.0.1", one.bound.port)):
        await eventually(lambda: taken)
    assert problems.texts(), "at the limit accepting works and fails by turns"
    await eventually(lambda: not problems.texts())
    assert caplog.text.count("too many open files") == 1
    taken[0].close()
    await one.close()
