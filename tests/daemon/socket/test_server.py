"""The control socket's server: which clients and requests it refuses, and that it outlives every client."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.daemon.served import Served, serve
from tests.waiting import eventually, opened
from wscli.control.protocol import LINE_LIMIT, PROTOCOL, request_line
from wscli.core.states import ChannelState
from wscli.daemon.socket import server as server_module
from wscli.sockets import listen_at_path
from wscli.version import __version__


async def test_an_answer_begins_with_the_protocols_number_and_our_version(served: Served) -> None:
    [answer] = await served.exchange(request_line("ping"))
    assert (answer["v"], answer["wscli"], answer["ok"]) == (PROTOCOL, __version__, True)
    assert answer["result"]["instance"] == "app"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"GET / HTTP/1.1\r\n", "not JSON"),
        (b"[1]\n", "must be a JSON object"),
        (b"\xff\xfe\n", "not JSON"),
        (b"{}\n", "no protocol number"),
        (b'{"v":true,"verb":"stats"}\n', "no protocol number"),
        (b'{"v":%d}\n' % PROTOCOL, "no such verb 'None'"),
        (b'{"v":%d,"verb":"dance"}\n' % PROTOCOL, "no such verb 'dance'"),
        (b'{"v":%d,"verb":["stats"]}\n' % PROTOCOL, "no such verb"),
        (b'{"v":%d,"verb":"stats","args":7}\n' % PROTOCOL, "must be a JSON object"),
        (b'{"v":%d,"verb":"stats","args":{"channels":[7]}}\n' % PROTOCOL, "'channels' must be a list of names"),
        (b"[" * 60_000 + b"\n", "not JSON"),
        (b"x" * (LINE_LIMIT + 1), f"over {LINE_LIMIT} bytes"),
        (b"x" * LINE_LIMIT + b"\n", f"over {LINE_LIMIT} bytes"),
    ],
)
async def test_an_invalid_request_is_refused_with_the_reason_and_the_server_goes_on(
    served: Served, line: bytes, words: str
) -> None:
    [answer] = await served.exchange(line)
    assert answer["ok"] is False
    assert words in answer["error"]["message"]
    assert (await served.ask("ping"))["instance"] == "app"


async def test_a_client_of_another_version_is_told_which_side_to_upgrade(served: Served) -> None:
    [newer] = await served.exchange(b'{"v":%d,"wscli":"9.0.0","verb":"stats"}\n' % (PROTOCOL + 1))
    assert f"'9.0.0' with protocol {PROTOCOL + 1}" in newer["error"]["message"]
    assert "wscli down" in newer["error"]["hint"]
    [older] = await served.exchange(b'{"v":0,"wscli":"0.0.1","verb":"stats"}\n')
    assert "upgrade the wscli that this command comes from" in older["error"]["hint"]


async def test_a_client_of_any_version_can_take_the_manager_down(served: Served) -> None:
    exchange = asyncio.create_task(served.exchange(b'{"v":%d,"wscli":"9.0.0","verb":"down"}\n' % (PROTOCOL + 1)))
    await served.manager.stopping.wait()
    served.end_process()
    [answer] = await exchange
    assert (answer["ok"], answer["result"]) == (True, {"pid": os.getpid()})
    assert served.manager.stopping.is_set()


async def test_a_removed_socket_is_replaced_without_disturbing_its_clients(served: Served) -> None:
    with served.dial() as before:
        before.sendall(b'{"v":%d,"verb":' % PROTOCOL)
        await eventually(lambda: served.server.clients)
        os.remove(served.instance.socket)  # noqa: PTH107 - as a cleaner does
        served.server.listen(listen_at_path(Path(served.instance.socket)))
        assert (await served.ask("ping"))["instance"] == "app"
        before.sendall(b'"ping"}\n')
        answer = await asyncio.to_thread(before.makefile().readline)
        assert json.loads(answer)["ok"] is True


async def test_a_client_that_sends_no_request_is_refused_after_the_deadline() -> None:
    async with serve(request_deadline=0.05) as served:
        [answer] = await served.exchange(b'{"v":%d,' % PROTOCOL)
        assert answer["error"]["code"] == 124


async def test_a_client_above_the_limit_is_refused_until_another_leaves() -> None:
    async with serve(client_limit=1) as served:
        with served.dial() as first:
            first.sendall(b"{")
            await eventually(lambda: served.server.clients)
            [answer] = await served.exchange(b"")
            assert "already has 1 clients" in answer["error"]["message"]
        await eventually(lambda: not served.server.clients)
        assert (await served.ask("ping"))["instance"] == "app"


async def test_another_user_is_refused_and_root_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve() as served:
        monkeypatch.setattr(server_module, "peer_uid", lambda sock: os.geteuid() + 1)
        [answer] = await served.exchange(b"")
        assert f"you are user {os.geteuid() + 1}" in answer["error"]["message"]
        monkeypatch.setattr(server_module, "peer_uid", lambda sock: 0)
        assert (await served.ask("ping"))["instance"] == "app"


async def test_the_peers_user_is_read_from_the_kernel(served: Served) -> None:
    with served.dial() as sock:
        assert server_module.peer_uid(sock) == os.geteuid()


async def test_a_handler_that_raises_answers_its_client_with_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken(manager: Any, args: Any, peer: Any) -> dict[str, Any]:
        raise KeyError("secret")

    async with serve(handlers={"broken": broken}) as served:
        [answer] = await served.exchange(request_line("broken"))
        assert answer["error"]["code"] == 1
        assert answer["error"]["message"] == "the manager failed at this: KeyError"
        assert "a request failed" in caplog.text
        [answer] = await served.exchange(request_line("other"))
        assert "no such verb" in answer["error"]["message"]


async def test_closing_ends_waiting_clients_and_accepts_no_more() -> None:
    async with serve() as served:
        await served.bring(served.calls, ChannelState.WAITING)
        with served.dial() as sock:
            sock.sendall(request_line("wait", {"channels": ["calls"]}))
            await eventually(lambda: served.calls.in_use)
            await served.server.close()
            assert await asyncio.to_thread(sock.recv, 1) == b""
        with pytest.raises(ConnectionRefusedError):
            served.dial()


def out_of_descriptors(monkeypatch: pytest.MonkeyPatch, failures: int) -> asyncio.Event:
    """Let accepting fail so many times; the event is set with the last of them."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    accept = loop.sock_accept

    async def failing(sock: Any) -> Any:
        nonlocal failures
        accepted = await accept(sock)
        if failures:
            failures -= 1
            accepted[0].close()
            raise OSError(errno.EMFILE, "Too many open files")
        over.set()
        return accepted

    monkeypatch.setattr(loop, "sock_accept", failing)
    monkeypatch.setattr("wscli.sockets.ACCEPT_PAUSE", 0.0)
    return over


async def test_the_server_accepts_again_after_a_lack_of_descriptors_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("wscli.daemon.socket.server.RESERVE", 0)
    async with serve() as served:
        over = out_of_descriptors(monkeypatch, 20)
        for _ in range(22):  # one for the accept that was under way before
            served.dial().close()
        await over.wait()
        assert served.manager.problems.texts() == ["control socket: cannot accept a client: too many open files"]
        monkeypatch.setattr("wscli.sockets.CALM", 0.0)
        assert (await served.ask("ping"))["instance"] == "app"
        await eventually(lambda: not served.manager.problems.texts(), timeout=10)
        assert caplog.text.count("too many open files") == 1


async def test_a_client_for_whom_there_is_no_descriptor_gets_one_of_the_reserve(
    monkeypatch: pytest.MonkeyPatch, served: Served
) -> None:
    before = opened()
    over = out_of_descriptors(monkeypatch, 3)
    for _ in range(5):
        served.dial().close()
    await over.wait()
    assert served.manager.problems.texts() == []
    assert (await served.ask("ping"))["instance"] == "app"
    await eventually(lambda: not served.server.clients)
    assert not before - opened(), "the reserve is full again"


async def test_no_descriptor_is_left_after_many_clients(served: Served) -> None:
    await served.ask("ping")
    before = opened()
    for _ in range(50):
        await served.exchange(b"rubbish\n")
        served.dial().close()
        await served.ask("stats")
    await eventually(lambda: not served.server.clients)
    await eventually(lambda: not opened() - before)
