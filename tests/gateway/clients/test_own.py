"""Clients with an upstream of their own: what passes between the two, and how the end of one ends the other."""

from __future__ import annotations

import asyncio

import pytest

from tests.daemon.scripted import ScriptedLink
from tests.daemon.scripted import closed as upstream_closed
from tests.gateway.faced import Faced, closed, die, faced, own_plan
from tests.waiting import eventually
from wscli.config.models.upstream import Keepalive
from wscli.core.failures import Failure, FailureKind


async def test_each_client_gets_what_its_own_upstream_says_and_nothing_of_the_others(own: Faced) -> None:
    async with own.client() as one, own.client() as other:
        first, second = own.server.links
        first.say("for one", "and more")
        second.say("for the other")
        second.listener.on_batch([b"\x00\xff", b"text"], b"bt")
        assert [await one.recv(), await one.recv()] == ["for one", "and more"]
        assert [await other.recv() for _ in range(3)] == ["for the other", b"\x00\xff", "text"]
        await one.send("of one")
        await other.send(b"of the other")
        await eventually(lambda: first.sent and second.sent)
        assert (first.sent, second.sent) == ([(b"of one", False)], [(b"of the other", True)])
        assert own.channel.state == "idle"
        assert own.channel.history.last == 0


async def test_what_arrives_before_the_clients_upgrade_is_answered_is_not_lost(own: Faced) -> None:
    own.server.on_open = lambda link: link.say("welcome")
    async with own.client() as client:
        assert await client.recv() == "welcome"


async def test_messages_keep_their_order_and_their_kind_while_the_upstream_is_slow(own: Faced) -> None:
    async with own.client() as client:
        link = own.server.link
        link.blocked = asyncio.Event()
        await client.send("1")
        await client.send(b"2")
        await client.send("3")
        await client.ping()
        assert link.sent == []
        blocked, link.blocked = link.blocked, None
        blocked.set()
        await eventually(lambda: len(link.sent) == 3)
        await client.send("4")
        await eventually(lambda: len(link.sent) == 4)
        assert link.sent == [(b"1", False), (b"2", True), (b"3", False), (b"4", False)]


@pytest.mark.parametrize(
    ("failure", "code", "reason"),
    [
        (Failure(FailureKind.CLOSE, "x", code=4400, by="peer", close_reason="bad message"), 4400, "bad message"),
        (Failure(FailureKind.CLOSE, "x", code=1000, by="peer"), 1000, ""),
        (Failure(FailureKind.CLOSE, "x", code=1012, by="peer", close_reason="back soon"), 1012, "back soon"),
        (Failure(FailureKind.CLOSE, "x", code=1005, by="peer"), 1005, ""),
        (Failure(FailureKind.CLOSE, "the server reset the connection", code=1006, by="peer"), 1014, "the server reset"),
        (Failure(FailureKind.TOO_BIG, "closed by us: 1009 too big", code=1009, by="us"), 1014, "closed by us: 1009"),
    ],
)
async def test_the_end_of_the_upstream_is_the_clients_behind_its_last_messages(
    own: Faced, failure: Failure, code: int, reason: str
) -> None:
    async with own.client() as client:
        link = own.server.link
        link.say("last")
        link.end(failure)
        assert await client.recv() == "last"
        assert (await closed(client))[0] == code
        assert (client.close_reason or "").startswith(reason)


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4001, "enough"), (1001, "tab closed")])
async def test_a_clients_close_code_and_reason_reach_its_upstream_behind_its_last_message(
    own: Faced, code: int, reason: str
) -> None:
    async with own.client() as client, own.client():
        link, other = own.server.links
        await client.send("last")
        await client.close(code, reason)
        assert client.close_code == code
        await eventually(lambda: link.ended)
        assert (link.sent, link.closed_with) == ([(b"last", False)], (code, reason))
        assert other.open


async def test_the_upstream_of_a_client_that_vanishes_in_the_middle_of_a_message_is_closed(own: Faced) -> None:
    async with own.client() as other:
        _, writer = await own.raw_client()
        mine = own.server.links[1]
        writer.write(b"\x81\x84aaaa\x00")  # one byte of four
        sock = writer.get_extra_info("socket")
        await writer.drain()
        die(sock)
        writer.transport.abort()
        await eventually(lambda: mine.ended)
        assert mine.sent == []
        assert mine.closed_with == (1001, "")
        own.server.links[0].say("still here")
        assert await other.recv() == "still here"


async def test_a_client_that_breaks_the_protocol_ends_alone(own: Faced) -> None:
    async with own.client() as other:
        reader, writer = await own.raw_client()
        mine = own.server.links[1]
        writer.write(b"\x81\x02hi")  # a client must mask
        assert (await reader.read())[2:4] == (1002).to_bytes(2, "big")
        await eventually(lambda: mine.ended)
        own.server.link.say("still here")
        assert await other.recv() == "still here"
        writer.close()


async def test_a_client_that_reads_nothing_pauses_its_own_upstream_alone(own: Faced) -> None:
    async with own.client() as other:
        reader, writer = await own.raw_client()
        writer.transport.pause_reading()
        quick, slow = own.server.links
        sent = 0
        while slow.reading:
            slow.say("x" * 60_000)
            sent += 1
            quick.say("and on")
            assert await other.recv() == "and on"
        assert sent * 60_000 < 64 << 20
        assert quick.reading
        slow.deaf = True
        await own.it.time.advance(120.0)  # pongs cannot be read meanwhile
        assert slow.open
        writer.transport.resume_reading()
        got = 0
        while got < sent * 60_000:
            got += len(await reader.read(1 << 20))
        await eventually(lambda: slow.reading)
        writer.close()


async def test_an_upstream_that_reads_nothing_pauses_its_own_client_alone(own: Faced) -> None:
    async with own.client() as other:
        _, writer = await own.raw_client()
        quick, slow = own.server.links
        slow.blocked = asyncio.Event()
        message = b"\x82\xff" + (100_000).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 100_000
        sent = 0
        while writer.transport.get_write_buffer_size() == 0:
            writer.write(message)
            sent += 1
            await other.send("on")
            while len(quick.sent) < sent:  # noqa: ASYNC110 - nothing tells when it arrived
                await asyncio.sleep(0)
        assert sent * 100_000 < 64 << 20
        assert slow.sent == []
        blocked, slow.blocked = slow.blocked, None
        blocked.set()
        await eventually(lambda: len(slow.sent) == sent)
        writer.close()


async def test_an_upstream_that_answers_no_ping_ends_its_client() -> None:
    async with faced(own_plan(keepalive=Keepalive(ping=5.0, timeout=2.0))) as it, it.client() as client:
        it.server.link.deaf = True
        await it.it.time.advance(7.0)
        assert await closed(client) == (1014, "no pong within 2s")


async def test_an_upstream_ends_as_this_machine_changes_its_address(own: Faced) -> None:
    async with own.client() as client:
        own.server.source = "192.0.2.101"
        own.it.network(online=True)
        assert await closed(client) == (1014, "the network changed")


async def test_a_client_that_ends_with_its_manager_is_told_so(own: Faced) -> None:
    async with own.client() as client:
        link: ScriptedLink = own.server.link
        await own.gateway.close()
        assert await closed(client) == (1001, "the manager was stopped")
        await eventually(lambda: link.ended)
        assert link.closed_with == (1001, "")


async def test_what_both_ends_exchanged_is_counted(own: Faced) -> None:
    async with own.client() as client:
        own.server.link.say("a", "b")
        await client.send("c")
        assert [await client.recv(), await client.recv()] == ["a", "b"]
        await eventually(lambda: own.server.link.sent)
        counted = own.manager.stats()["channels"]["news"]["own"]
        assert counted == {"clients": 1, "total": 1, "refused": 0, "received": 2, "sent": 1}
        connections = own.manager.stats()["connections"]
        assert (connections["active"], connections["total"]) == (1, 2)
    await eventually(lambda: own.manager.stats()["connections"]["active"] == 0)
    assert own.manager.stats()["channels"]["news"]["own"]["clients"] == 0


async def test_an_end_from_the_server_is_logged_nowhere_as_the_channels(own: Faced) -> None:
    client = await own.client()
    own.server.link.end(upstream_closed(4000))
    await client.wait_closed()
    assert own.channel.state == "idle"
    assert own.channel.counters.as_dict()["reconnects"] == 0


async def test_a_flood_behind_the_end_of_its_client_is_dropped(own: Faced) -> None:
    _, writer = await own.raw_client()
    link = own.server.link
    link.slow_close = 1.0
    writer.close()
    await eventually(lambda: link.closed_with)
    before = own.manager.stats()["channels"]["news"]["own"]["received"]
    for _ in range(100):
        link.say("x" * 60_000)
    assert own.manager.stats()["channels"]["news"]["own"]["received"] == before
    await own.it.time.advance(1.0)
    assert not link.open


async def test_a_client_that_answers_no_ping_is_dropped_and_its_upstream_closed() -> None:
    async with faced(own_plan(), keepalive=Keepalive(ping=0.02, timeout=0.02)) as own:
        _, writer = await own.raw_client()
        link = own.server.link
        await eventually(lambda: link.ended)
        assert link.closed_with == (1001, "")
        writer.close()
