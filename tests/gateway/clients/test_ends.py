"""However a client of the gateway ends, others go on and nothing of it is left."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.frames import Close, Frame, Opcode

from tests.daemon.scripted import channel_plan
from tests.daemon.scripted import closed as upstream_closed
from tests.gateway.faced import BAD, Faced, closed, die, faced
from tests.session.declared import session
from tests.waiting import eventually
from wscli.config.models.upstream import Keepalive
from wscli.core.failures import Failure, FailureKind
from wscli.errors import NotSent, OutcomeUnknown
from wscli.gateway import status as status_module
from wscli.gateway.clients import session as session_module
from wscli.gateway.clients.forwarder import Forwarder
from wscli.gateway.handshake import Handshake
from wscli.history.limits import HistoryLimits

BYE = Frame(Opcode.CLOSE, Close(1000, "").serialize()).serialize(mask=True)
PLENTY = channel_plan(history=HistoryLimits(keep=2000, max_size=64 << 20))


async def stuck_client(it, path="/ws/news"):
    """A client that reads nothing, with more on its way than the socket takes."""
    reader, writer = await it.raw_client(path)
    writer.transport.pause_reading()
    for _ in range(400):
        it.server.link.say("x" * 50_000)
        await asyncio.sleep(0)
    return reader, writer


@pytest.mark.parametrize("closes", [True, False], ids=["it closes", "its channel failed"])
async def test_a_client_that_reads_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch, closes: bool) -> None:
    monkeypatch.setattr(session_module, "STALL", 0.05)
    monkeypatch.setattr(session_module, "CLOSE_WAIT", 0.05)
    async with faced(PLENTY) as it:
        _, writer = await stuck_client(it)
        assert it.channel.readers == 1
        if closes:
            writer.write(BYE)
        else:
            it.server.link.end(BAD)
        await eventually(lambda: it.channel.readers == 0)
        writer.transport.abort()


async def test_a_slow_client_that_reads_on_gets_everything_before_the_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "STALL", 2.0)
    async with faced(PLENTY) as it:
        reader, writer = await stuck_client(it)
        it.server.link.end(BAD)
        writer.transport.resume_reading()
        data = await reader.read()
        assert data.endswith(b"\x88\x05\x03\xeabad")
        assert data.count(b"x") == 400 * 50_000
        writer.close()


async def test_a_page_that_closes_and_reads_nothing_is_given_up(it: Faced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_module, "_STALL", 0.05)
    _, writer = await it.raw_client("/status")
    writer.transport.pause_reading()
    session = next(iter(it.gateway._clients))
    record = b'{"event":"lost","channel":"news","message":"%b","ts":1}' % (b"x" * 9000)
    for _ in range(2000):  # more than both sockets hold
        it.manager.logs["info"].append([record], None)
        await asyncio.sleep(0)
    writer.write(BYE)
    await eventually(session.done)
    writer.transport.abort()


async def test_a_client_that_closes_is_not_dropped_for_a_missing_pong_while_its_messages_wait() -> None:
    async with faced(keepalive=Keepalive(ping=0.05, timeout=0.1)) as it:
        it.server.link.end(upstream_closed(1006))
        reader, writer = await it.raw_client()
        writer.write(Frame(Opcode.TEXT, b"held").serialize(mask=True) + BYE)  # no pong may follow
        for _ in range(5):
            assert await reader.readexactly(2) == b"\x89\x00"
        await it.it.time.advance(2.0)
        assert (await reader.read()).lstrip(b"\x89\x00").startswith(b"\x88\x02\x03\xe8")
        assert it.server.link.sent == [(b"held", False)]
        writer.close()


async def test_a_client_that_answers_no_close_frame_is_given_up(it: Faced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "CLOSE_WAIT", 0.05)
    reader, writer = await it.raw_client()
    it.server.link.end(BAD)
    assert await reader.read() == b"\x88\x05\x03\xeabad"
    await eventually(lambda: it.channel.readers == 0)
    writer.close()


async def test_a_strict_client_is_closed_for_a_loss_during_its_handshake(monkeypatch: pytest.MonkeyPatch) -> None:
    accept = Handshake.accept

    async def accept_then_lose(self, request, subprotocol):
        accepted = await accept(self, request, subprotocol)
        it.server.link.end(upstream_closed(4321))
        return accepted

    monkeypatch.setattr(Handshake, "accept", accept_then_lose)
    async with faced() as it, it.client("/ws/news?strict=1") as client, asyncio.timeout(30):
        assert (await closed(client))[0] == 4321


async def test_a_strict_client_with_a_held_message_is_closed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with faced() as it, it.client("/ws/news?strict=1") as client:
        begun, lost = asyncio.Event(), asyncio.Event()

        async def send_late(payload: bytes, *, binary: bool, timeout: float | None = None) -> None:
            begun.set()
            await lost.wait()
            raise NotSent("the connection is closed")

        it.server.link.clogged = True
        monkeypatch.setattr(it.server.link, "send", send_late)
        await client.send("too late")
        await begun.wait()
        it.server.link.end(upstream_closed(4321))
        lost.set()
        async with asyncio.timeout(30):
            assert (await closed(client))[0] == 4321


async def test_a_message_of_unknown_outcome_closes_the_client_and_is_not_logged_as_unsent(
    caplog: pytest.LogCaptureFixture, it: Faced, client: ClientConnection
) -> None:
    caplog.set_level(logging.WARNING)
    it.server.link.clogged = True
    await client.send("who knows")
    code, reason = await closed(client)
    assert (code, "had not read the message" in reason) == (1011, True)
    await eventually(lambda: it.channel.readers == 0)
    assert "were not sent" not in caplog.text
    assert OutcomeUnknown.__name__ not in caplog.text


async def test_a_hangup_is_detected_while_reading_is_suspended(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, it: Faced
) -> None:
    monkeypatch.setattr(session_module, "DRAIN", 0.05)
    made: list[Forwarder] = []
    monkeypatch.setattr(
        session_module, "Forwarder", lambda *args, **more: made.append(Forwarder(*args, **more)) or made[-1]
    )
    it.channel.pause()
    _, writer = await it.raw_client()
    writer.write(Frame(Opcode.TEXT, b"x" * 500_000).serialize(mask=True) * 8)
    await eventually(lambda: made and made[0].full)
    die(writer.get_extra_info("socket"))
    writer.transport.abort()
    await eventually(lambda: it.channel.readers == 0)
    assert "were not sent before it left" in caplog.text


async def test_messages_sent_before_a_client_vanished_go_upstream(it: Faced) -> None:
    _, writer = await it.raw_client()
    await eventually(lambda: it.channel.readers == 1)
    sock = writer.get_extra_info("socket").dup()
    writer.transport.abort()
    await it.it.time.settle()  # the transport's own socket is closed: ours is the last
    sock.sendall(Frame(Opcode.TEXT, b"last words").serialize(mask=True))
    die(sock)
    sock.close()
    it.server.link.say("unread")
    await eventually(lambda: it.channel.readers == 0)
    assert it.server.link.sent == [(b"last words", False)]


async def test_a_message_that_the_session_refuses_closes_its_client_with_the_reason() -> None:
    async with faced(channel_plan(session=session("{outgoing: none}"))) as it, it.client() as client:
        await client.send("anything")
        code, reason = await closed(client)
        assert (code, "outgoing: none" in reason) == (1008, True)
        assert it.server.link.sent == []


async def test_a_bug_in_forwarding_closes_the_client(
    it: Faced, client: ClientConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(payload: bytes, *, binary: bool, timeout: float | None = None) -> None:
        raise RuntimeError("a bug")

    it.server.link.clogged = True
    monkeypatch.setattr(it.server.link, "send", broken)
    await client.send("anything")
    async with asyncio.timeout(30):
        assert (await closed(client))[0] == 1011


async def test_a_bug_in_sending_at_once_closes_the_client(
    it: Faced, client: ClientConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(render: object) -> bool:
        raise RuntimeError("a bug")

    monkeypatch.setattr(it.server.link, "try_send", broken)
    await client.send("anything")
    async with asyncio.timeout(30):
        assert (await closed(client))[0] == 1011


@pytest.mark.parametrize("path", ["/ws/news", "/ws/news?last=2", "/ws/news?after={epoch}:1"])
async def test_messages_during_the_handshake_are_neither_lost_nor_repeated(
    path: str, monkeypatch: pytest.MonkeyPatch, it: Faced
) -> None:
    accept = Handshake.accept

    async def accept_slowly(self, request, subprotocol):
        it.server.link.say("4")
        accepted = await accept(self, request, subprotocol)
        it.server.link.say("5")
        await asyncio.sleep(0)
        it.server.link.say("6")
        return accepted

    monkeypatch.setattr(Handshake, "accept", accept_slowly)
    it.server.link.say("1", "2", "3")
    path = path.format(epoch=it.channel.history.epoch)
    async with it.client(path) as client:
        it.server.link.say("7")
        expected = ["4", "5", "6", "7"] if "?" not in path else ["2", "3", "4", "5", "6", "7"]
        assert [await client.recv() for _ in expected] == expected


@pytest.mark.parametrize("held", ["pause", "stop"])
async def test_messages_to_a_paused_or_stopped_channel_are_sent_once_when_it_goes_on(
    it: Faced, client: ClientConnection, held: str
) -> None:
    channel = it.channel
    getattr(channel, held)()
    await it.it.time.settle()
    for number in range(3):
        await client.send(f"held {number}")
    await (await client.ping())
    channel.resume() if held == "pause" else channel.start()
    await eventually(lambda: it.server.links and len(it.server.link.sent) == 3)
    await (await client.ping())
    assert it.server.link.sent == [(b"held %d" % number, False) for number in range(3)]


@pytest.mark.parametrize("removed", [True, False], ids=["its channel is removed", "the manager stops"])
async def test_messages_that_are_held_at_the_end_are_logged(
    it: Faced, client: ClientConnection, caplog: pytest.LogCaptureFixture, removed: bool
) -> None:
    channel = it.channel
    channel.pause()
    await client.send("held")
    await (await client.ping())
    if removed:
        it.manager.apply(replace(it.manager.plan, channels={"other": channel_plan("other")}))
    else:
        await it.gateway.close()
    assert (await closed(client))[0] == 1001
    await eventually(lambda: channel.readers == 0)
    assert not channel.in_use
    assert "1 messages of a client of the gateway were not sent" in caplog.text


async def test_a_client_that_vanishes_during_its_handshake_leaves_nothing(it: Faced) -> None:
    channel = it.channel
    it.server.always = Failure(FailureKind.TCP, "refused")
    it.server.link.end(upstream_closed(1006))
    _, writer = await asyncio.open_connection("127.0.0.1", it.port)
    writer.write(it.upgrade("GET /ws/news?strict=1 HTTP/1.1"))
    await eventually(lambda: channel.in_use)
    writer.transport.abort()
    it.server.always = None
    await it.it.time.advance(3.0)
    await eventually(lambda: it.stats["clients"] == 0)
    assert not channel.in_use
    assert channel.readers == 0
