"""A client of the gateway shares the channel's one connection, and is told the truth about it."""

from __future__ import annotations

import asyncio
import json
import logging
import socket

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode

from tests.daemon.scripted import channel_plan
from tests.daemon.scripted import closed as upstream_closed
from tests.gateway.faced import BAD, Faced, closed, die, faced
from tests.waiting import eventually
from wscli.core.failures import Failure, FailureKind
from wscli.core.states import ChannelState
from wscli.core.verdicts import parse_verdicts
from wscli.history.limits import HistoryLimits

LAZY = channel_plan(eager=False)


async def test_a_client_gets_every_message_unchanged(it: Faced, client: ClientConnection) -> None:
    it.server.link.listener.on_batch([b"one", b"\x00\xff", "zwei ü".encode()], b"tbt")
    assert [await client.recv() for _ in range(3)] == ["one", b"\x00\xff", "zwei ü"]


async def test_large_messages_arrive_whole() -> None:
    async with faced() as it, it.client(max_size=None) as client:
        for size in (125, 126, 65535, 65536, 900_000):
            it.server.link.say("x" * size)
            assert len(await client.recv()) == size


async def test_what_a_client_sends_goes_upstream_in_order_and_kind(it: Faced, client: ClientConnection) -> None:
    await client.send("text")
    await client.send(b"\x00\x01")
    await client.send(["in ", "three ", "fragments"])
    await eventually(lambda: len(it.server.link.sent) == 3)
    assert it.server.link.sent == [(b"text", False), (b"\x00\x01", True), (b"in three fragments", False)]


async def test_several_clients_share_one_connection() -> None:
    async with faced(LAZY) as it:
        async with it.client() as one, it.client() as two, it.client() as three:
            await eventually(lambda: it.server.links)
            it.server.link.say("to all")
            assert [await client.recv() for client in (one, two, three)] == ["to all"] * 3
            assert it.channel.readers == 3
        await eventually(lambda: it.channel.readers == 0)
        assert it.server.most == 1


async def test_a_template_is_opened_by_its_path() -> None:
    async with faced(channel_plan("consultations/{id}")) as it, it.client("/ws/consultations/42") as client:
        await eventually(lambda: it.server.links)
        it.server.link.say("hello")
        assert await client.recv() == "hello"
        assert [channel.name for channel in it.manager.channels()] == ["consultations/42"]


async def test_json_gives_records_and_gaps() -> None:
    async with faced() as it, it.client("/ws/news?json=1") as client:
        it.server.link.say("before")
        it.server.link.end(upstream_closed(1006))
        await it.it.time.advance(2.0)
        it.server.link.listener.on_batch([b"\x00"], b"b")
        records = [json.loads(await client.recv()) for _ in range(3)]
        assert [record["type"] for record in records] == ["text", "gap", "binary"]
        assert records[0]["data"] == "before"
        assert (records[1]["reason"], records[2]["data"]) == ("outage", "AA==")


@pytest.mark.parametrize("query", ["last=-1", "last=x", "after=nonsense", "json=yes", "strict=", "last=1&after=abcd:1"])
async def test_an_invalid_query_is_refused(it: Faced, query: str) -> None:
    assert (await it.refused(f"/ws/news?{query}")).status_code == 400


@pytest.mark.parametrize("path", ["/ws/unknown", "/ws/", "/ws", "/news", "/ws/news/1", "/ws/consultations/a%2Fb"])
async def test_a_channel_that_is_not_declared_is_not_found(it: Faced, path: str) -> None:
    assert (await it.refused(path)).status_code == 404


@pytest.mark.parametrize(
    ("query", "code", "reason"),
    [("?strict=1", 4321, "moving"), ("", 1002, "bad"), ("", 4000, "done")],
    ids=["strict, and it is lost", "it failed", "it is done"],
)
async def test_a_client_whose_channel_ends_is_closed_with_the_upstreams_code(
    query: str, code: int, reason: str
) -> None:
    plan = channel_plan(verdicts=(parse_verdicts({"4000": "done"}),))
    async with faced(plan) as it, it.client(f"/ws/news{query}") as client:
        it.server.link.say("last words")
        it.server.link.end(Failure(FailureKind.CLOSE, "x", code=code, close_reason=reason, by="peer"))
        assert await client.recv() == "last words"
        assert await closed(client) == (code, reason)


async def test_a_strict_client_is_not_let_in_without_an_upstream(it: Faced) -> None:
    it.server.refusals = [Failure(FailureKind.TCP, "refused")] * 9
    it.channel.stop()
    refused = await it.refused("/ws/news?strict=1")
    assert refused.status_code == 503
    assert b"stopped" in refused.body


async def test_a_client_of_a_channel_that_failed_is_refused(it: Faced) -> None:
    it.server.link.end(BAD)
    assert it.channel.state is ChannelState.FAILED
    assert (await it.refused()).status_code == 502


async def test_a_client_stays_through_an_outage_and_what_it_sends_is_held(it: Faced, client: ClientConnection) -> None:
    it.server.link.end(upstream_closed(1006))
    await client.send("held")
    await client.ping()
    await it.it.time.advance(2.0)
    await eventually(lambda: it.server.link.sent == [(b"held", False)])
    it.server.link.say("back")
    assert await client.recv() == "back"


async def test_what_was_sent_before_the_close_goes_upstream() -> None:
    async with faced(LAZY) as it:
        client = await it.client()
        await client.send("fire")
        await client.send("and forget")
        await client.close(4000, "done here")
        assert client.close_code == 4000
        await eventually(lambda: it.channel.readers == 0)
        assert it.server.most == 1
        assert it.channel.counters.sent == 2


async def test_a_client_that_vanishes_amid_a_message_sends_nothing_of_it() -> None:
    async with faced() as it, it.client() as other:
        _, writer = await it.raw_client()
        frame = Frame(Opcode.TEXT, b"x" * 5000).serialize(mask=True)
        writer.write(frame[:2000])
        await writer.drain()
        die(writer.get_extra_info("socket"))
        writer.transport.abort()
        await eventually(lambda: it.channel.readers == 1)
        assert it.server.link.sent == []
        it.server.link.say("unharmed")
        assert await other.recv() == "unharmed"


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(Opcode.TEXT, b"\xff\xfe").serialize(mask=True), 1007),
        (Frame(Opcode.TEXT, b"unmasked").serialize(mask=False), 1002),
        (Frame(Opcode.TEXT, b"x" * 2000).serialize(mask=True), 1009),
        (Frame(Opcode.CONT, b"of nothing").serialize(mask=True), 1002),
        (b"\x83\x80\0\0\0\0", 1002),
    ],
    ids=["no UTF-8", "unmasked", "too large", "continuation", "reserved"],
)
async def test_a_protocol_violation_closes_only_its_client(frame: bytes, code: int) -> None:
    async with faced(max_message=1000) as it, it.client() as other:
        reader, writer = await it.raw_client()
        writer.write(frame)
        answer = await reader.read()
        assert answer[0] == 0x88
        assert int.from_bytes(answer[2:4], "big") == code
        writer.close()
        it.server.link.say("unharmed")
        assert await other.recv() == "unharmed"


async def test_a_slow_client_lags_alone_and_the_log_counts_what_it_missed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "wscli.gateway")
    plan = channel_plan(history=HistoryLimits(keep=100, max_size=64 << 20))
    async with faced(plan) as it, it.client(max_queue=None, max_size=None) as quick:
        reader, writer = await it.raw_client()
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)
        writer.transport.pause_reading()
        for number in range(700):
            it.server.link.say(f"{number}." + "x" * 20_000)
            assert (await quick.recv()).startswith(f"{number}.")
        writer.transport.resume_reading()
        while not caplog.records:
            assert await reader.read(1 << 20)
        assert "was too slow and missed" in caplog.text
        writer.transport.abort()


async def test_a_client_that_sends_faster_than_the_upstream_takes_is_held_back(it: Faced) -> None:
    it.server.link.end(upstream_closed(1006))
    client = await it.client(ping_interval=None)
    await client.send(["x" * 500_000 for _ in range(2)])

    async def send_all() -> None:
        for _ in range(40):
            await client.send("x" * 500_000)

    flood = asyncio.create_task(send_all())
    await asyncio.wait([flood], timeout=0.3)
    assert not flood.done()
    await it.it.time.advance(2.0)
    await eventually(lambda: flood.done())
    await eventually(lambda: len(it.server.link.sent) == 41)
    await client.close()


async def test_the_upstreams_subprotocol_is_the_clients(it: Faced) -> None:
    it.server.link.subprotocol = "chat.v2"
    async with it.client(subprotocols=["chat.v1", "chat.v2"]) as client, it.client() as plain:
        assert client.subprotocol == "chat.v2"
        assert plain.subprotocol is None
    async with it.client(subprotocols=["other"]) as client:
        assert client.subprotocol is None
