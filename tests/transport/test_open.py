"""What opening promises: the request as asked, the steps with their times, the right adapter, nothing left behind."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys

import pytest

from tests.transport.conftest import Dials, needs_picows
from tests.transport.recorder import Recorder
from tests.transport.servers import TEXT, Peer, Server, frame, refusing, serve
from tests.waiting import descriptors, eventually
from wscli.errors import ConfigError
from wscli.transport.connection import DialError, DialTarget, DialTimeline
from wscli.transport.open import open_connection
from wscli.version import __version__


async def accept(peer: Peer) -> None:
    """Accept the upgrade, with a first message."""
    await peer.upgrade(then=frame(TEXT, b"welcome"))
    await peer.gone()


def target(url: str, **options: object) -> DialTarget:
    return DialTarget(url, proxy="none", **{"compression": "none", "timeout": 30.0, **options})  # type: ignore[arg-type]  # by name


async def test_the_request_carries_what_was_asked(dial: Dials) -> None:
    peers: list[Peer] = []

    async def script(peer: Peer) -> None:
        peers.append(peer)
        await peer.upgrade("Sec-WebSocket-Protocol: v2")
        await peer.gone()

    async with serve(script) as server:
        headers = (("Origin", "https://app.example"), ("X-Api-Key", "abc"), ("x-empty", ""), ("X-Name", "Zoë"))
        url = server.url.replace("ws://", "ws://us%65r:p%40ss@") + "/a%20b?x=1&y=ä#part"
        link, _ = await dial(url, headers=headers, subprotocols=("v1", "v2"))
        assert link.subprotocol == "v2"
        assert link.adapter == dial.adapter
        await dial.close()
    asked = peers[0]
    assert asked.request_line == "GET /feed/a%20b?x=1&y=%C3%A4 HTTP/1.1"
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.headers["user-agent"] == f"wscli/{__version__}"
    assert asked.headers["authorization"] == "Basic dXNlcjpwQHNz"
    assert asked.headers["origin"] == "https://app.example"
    assert asked.headers["x-api-key"] == "abc"
    assert asked.headers["x-empty"] == ""
    assert asked.headers["x-name"] == "Zoë"
    assert asked.headers["sec-websocket-protocol"] == "v1, v2"
    assert asked.headers["sec-websocket-version"] == "13"
    assert "sec-websocket-extensions" not in asked.headers


async def test_the_targets_own_headers_stand_for_ours(dial: Dials) -> None:
    lines: list[str] = []

    async def script(peer: Peer) -> None:
        block = await peer.reader.readuntil(b"\r\n\r\n")
        lines.extend(block.decode().lower().split("\r\n"))

    async with serve(script) as server:
        headers = (("host", "front.example"), ("USER-AGENT", "other/1"), ("Authorization", "Bearer t"))
        with pytest.raises(DialError):
            await dial(server.url.replace("ws://", "ws://user:pass@"), headers=headers)
    for name, value in (("host", "front.example"), ("user-agent", "other/1"), ("authorization", "bearer t")):
        assert [line for line in lines if line.startswith(f"{name}:")] == [f"{name}: {value}"]


async def test_each_step_stands_in_the_timeline_with_its_time(dial: Dials) -> None:
    async with serve(accept, host="localhost") as server:
        await dial(server.url)
        steps = dial.timeline.steps
        assert [step.name for step in steps] == ["dns", "tcp", "upgrade"]
        assert all(step.ok and 0 <= step.seconds < 20 for step in steps)
        peer = dial.timeline.peer
        assert peer in (f"127.0.0.1:{server.port}", f"[::1]:{server.port}")
        assert steps[1].detail == f"connected to {peer}"
        assert steps[2].detail == "HTTP 101"
        await dial.close()


async def test_an_ipv6_address_is_dialled_without_a_lookup(dial: Dials, monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(accept, host="::1") as server:
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", None)
        _, seen = await dial(server.url)
        assert dial.timeline.peer == f"[::1]:{server.port}"
        await seen.received(1)
        await dial.close()


async def test_a_second_address_is_tried_when_the_first_refuses(dial: Dials, monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(host: str, port: int, **options: object) -> list[object]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    async with serve(accept) as server:
        await dial(server.url.replace("127.0.0.1", "two.example"))
        assert dial.timeline.peer == f"127.0.0.1:{server.port}"
        assert dial.timeline.steps[0].detail == "::1, 127.0.0.1"
        await dial.close()


async def test_a_label_stands_for_the_host_in_every_text(dial: Dials) -> None:
    async with serve(accept) as server:
        pass
    with pytest.raises(DialError) as caught:
        await dial(server.url, label="***")
    assert caught.value.failure.text == "cannot connect to ***: connection refused"


@pytest.mark.parametrize("stage", ["dns", "tcp", "tls", "upgrade", "just opened"])
async def test_a_cancelled_dial_leaves_nothing_open(dial: Dials, stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever step is under way: neither a descriptor nor a task, and the timeline says where it was given up."""
    arrived, held = asyncio.Event(), asyncio.Event()

    async def hang(*args: object, **options: object) -> None:
        arrived.set()
        await held.wait()

    async def script(peer: Peer) -> None:
        if stage == "just opened":
            await peer.read_request()
            await peer.send(peer.answer())
        else:
            await peer.reader.read(100)
        arrived.set()
        await peer.gone()

    loop = asyncio.get_running_loop()
    if stage == "dns":
        monkeypatch.setattr(loop, "getaddrinfo", hang)
    if stage == "tcp":
        monkeypatch.setattr(loop, "sock_connect", hang)
    async with serve(script) as server:
        before = descriptors()
        url = server.url.replace("127.0.0.1", "localhost" if stage == "dns" else "127.0.0.1")
        dialling = asyncio.ensure_future(dial(url if stage != "tls" else url.replace("ws://", "wss://"), timeout=30.0))
        await arrived.wait()
        dialling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await dialling
        await server.scripts_done()  # the server saw us go
        await eventually(lambda: descriptors() <= before)
        last = dial.timeline.steps[-1]
        assert (last.ok, last.detail) == (False, "given up")
        if stage != "just opened":
            assert last.name == stage


async def test_a_hundred_failed_dials_leave_no_descriptor(dial: Dials) -> None:
    async with serve(refusing("503 Service Unavailable")) as server:
        before = descriptors()
        for _ in range(100):
            with pytest.raises(DialError):
                await dial(server.url)
        await server.scripts_done()
        await eventually(lambda: descriptors() <= before + 1)


async def test_nothing_that_a_dial_holds_is_logged(dial: Dials, caplog: pytest.LogCaptureFixture) -> None:
    """The libraries log every header at DEBUG; with us they say nothing whatever the root logger's level."""
    caplog.set_level(logging.DEBUG)
    async with serve(accept) as server:
        link, seen = await dial(server.url + "?token=s3cret", headers=(("Authorization", "Bearer s3cret"),))
        await seen.received(1)
        await link.send(b"s3cret", binary=False)
        await dial.close()
    assert "s3cret" not in caplog.text
    assert not [record for record in caplog.records if not record.name.startswith("asyncio")]


async def test_a_target_shows_nothing_of_itself() -> None:
    assert "s3cret" not in repr(DialTarget("ws://user:s3cret@host/?token=s3cret"))


async def adapter_of(server: Server, timeline: DialTimeline | None = None, **options: object) -> str:
    """Dial with `auto` until the first message, and tell which adapter it was."""
    recorder = Recorder()
    link = await open_connection(target(server.url, **options), recorder, timeline or DialTimeline())
    assert await recorder.received(1) == [b"welcome"]
    link.abort()
    await recorder.ended()
    return link.adapter


@needs_picows
async def test_auto_is_picows_without_compression_and_websockets_with_it() -> None:
    async with serve(accept) as server:
        assert await adapter_of(server, compression="none") == "picows"
        assert await adapter_of(server, compression="deflate") == "websockets"


async def test_without_the_extra_auto_is_websockets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picows", None)
    monkeypatch.delitem(sys.modules, "wscli.transport.picows.connection", raising=False)
    async with serve(accept) as server:
        assert await adapter_of(server) == "websockets"
        with pytest.raises(ConfigError, match="'picows' is not installed"):
            await open_connection(target(server.url), Recorder(), DialTimeline(), adapter="picows")


@needs_picows
@pytest.mark.parametrize("status", ["401 Unauthorized", "529 Site is overloaded", "302 Found"])
async def test_a_refusal_is_dialled_once(status: str) -> None:
    async with serve(refusing(status)) as server:
        with pytest.raises(DialError):
            await open_connection(target(server.url), Recorder(), DialTimeline())
        assert server.connections == 1
